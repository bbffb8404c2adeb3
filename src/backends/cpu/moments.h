// What kernels with statistics over rows share.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fovea::cpu {

// Near the mean of each channel: the mean of a few rows from all over. Sums of squares about it do not cancel.
inline void sample_means(const float* x, int64_t rows, int64_t stride, int64_t channels, float* shift) {
  const int64_t samples = std::min<int64_t>(rows, 16);
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (int64_t i = 0; i < samples; ++i) sum += x[rows * i / samples * stride + c];
    shift[c] = static_cast<float>(sum / static_cast<double>(samples));
  }
}

}  // namespace fovea::cpu
