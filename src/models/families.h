// One line a family: FAMILY.cpp defines `std::vector<Variant> variants()`, its table, in the namespace FAMILY.
#pragma once

#include <vector>

#include "models/registry.h"

// clang-format off
#define FOVEA_FAMILIES(FAMILY) \
  FAMILY(resnet) \
  FAMILY(preact_resnet) \
  FAMILY(vgg) \
  FAMILY(densenet) \
  FAMILY(mobilenet) \
  FAMILY(mnasnet) \
  FAMILY(efficientnet) \
  FAMILY(convnext) \
  FAMILY(vit) \
  FAMILY(vit_registers) \
  FAMILY(deit) \
  FAMILY(dinov2) \
  FAMILY(clip) \
  FAMILY(siglip) \
  FAMILY(beit3) \
  FAMILY(aimv2)
// clang-format on

namespace fovea::models {

#define FOVEA_DECLARE_FAMILY(NAME) \
  namespace NAME {                 \
  std::vector<Variant> variants(); \
  }
FOVEA_FAMILIES(FOVEA_DECLARE_FAMILY)
#undef FOVEA_DECLARE_FAMILY

}  // namespace fovea::models
