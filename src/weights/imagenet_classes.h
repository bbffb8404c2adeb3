// The names of the 1000 classes of ImageNet-1k that the published weights tell apart.
#pragma once

#include <string>
#include <vector>

namespace fovea::weights {

// The names in the order of the outputs. None occurs twice.
const std::vector<std::string>& imagenet_classes();

}  // namespace fovea::weights
