// Numbers as colours.
#pragma once

#include <array>
#include <cstdint>

namespace fovea::saliency {

// Viridis by Nathaniel Smith and Stéfan van der Walt (CC0), perceptually uniform: 0 is dark violet, 1 yellow. Linear between 52 of its 256
// published colours, within one level of the others.
std::array<uint8_t, 3> viridis(float value);

}  // namespace fovea::saliency
