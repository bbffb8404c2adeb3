// The families' tables of variants, for the registry.
#pragma once

#include <vector>

#include "models/registry.h"

namespace fovea::models {

std::vector<Variant> resnet_variants();
std::vector<Variant> efficientnet_variants();

}  // namespace fovea::models
