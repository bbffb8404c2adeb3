// What kernels with statistics over rows share.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backends/cpu/simd.h"

namespace fovea::cpu {

// Near the mean of each channel: the mean of a few rows from all over. Sums of squares about it do not cancel.
inline void sample_means(Source x, int64_t rows, int64_t stride, int64_t channels, float* shift) {
  const int64_t samples = std::min<int64_t>(rows, 16);
  std::fill_n(shift, channels, 0.0f);
  const float share = 1.0f / static_cast<float>(samples);
  for (int64_t i = 0; i < samples; ++i) simd::add_scaled(x + rows * i / samples * stride, share, shift, channels);
}

}  // namespace fovea::cpu
