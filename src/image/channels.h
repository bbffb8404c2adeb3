// Prepared pictures for networks that do not take three channels.
#pragma once

#include <fovea/preprocess.h>

#include <cstdint>
#include <span>
#include <vector>

namespace fovea::image {

// Normalized RGB pictures [pixels, 3] as a network of `channels` takes them: themselves for 3; for 1 their brightness (0.299 R + 0.587 G +
// 0.114 B, as Pillow's mode L, but not rounded to 8 bits), normalized by the mean of the three means and of the three deviations, in
// `room`. Throws Error(unsupported) for another number: such networks take tensors only.
std::span<const float> with_channels(std::span<const float> pictures, const Preprocessing& preprocessing, int64_t channels,
                                     std::vector<float>& room);

}  // namespace fovea::image
