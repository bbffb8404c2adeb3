// The families' tables of variants, for the registry.
#pragma once

#include <vector>

#include "models/registry.h"

namespace fovea::models {

std::vector<Variant> resnet_variants();
std::vector<Variant> efficientnet_variants();
std::vector<Variant> preact_resnet_variants();
std::vector<Variant> convnext_variants();
std::vector<Variant> vit_variants();
std::vector<Variant> vgg_variants();
std::vector<Variant> densenet_variants();
std::vector<Variant> mobilenet_variants();

}  // namespace fovea::models
