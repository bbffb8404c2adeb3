// The weight gradient of depthwise convolutions, which oneDNN 3.2 computes at a tenth of the forward pass's speed.
#pragma once

#include <cstdint>

namespace fovea::cpu::simd {

// Lines [first, last) of one image's results; all pixels are dense.
struct DepthwiseBlock {
  const float *x, *dy;  // of this image
  double* sums;         // [kernel_height][kernel_width][channels], added to
  int64_t channels, height, width, out_width;
  int64_t kernel_height, kernel_width, stride_height, stride_width, top, left;
  int64_t first, last;
  int64_t inner_first, inner_last;  // results of a line whose windows lie inside it
};
// Kernel widths 3, 5 and 7.
void depthwise_weight_grad(const DepthwiseBlock& block);

}  // namespace fovea::cpu::simd
