#include "backends/cpu/simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/resample_simd.cpp"
#define HWY_DISABLED_TARGETS HWY_SSSE3  // too like SSE4 to pay for its compile time
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

// Pixel after pixel, as they lie in memory; the sums stay in the first cache.
void WeightedSum(const simd::WeightedWindow& window, float* y, int64_t channels) {
  std::fill_n(y, channels, 0.0f);
  for (int64_t row = 0; row < window.rows; ++row)
    for (int64_t column = 0; column < window.columns; ++column) {
      const float* const x = window.x + row * window.row_step + column * window.pixel_step;
      const float weight = window.row_weights[row] * window.column_weights[column];
      for_each_vector(channels, [=](auto d, int64_t c) HWY_ATTR {
        hn::StoreU(hn::MulAdd(hn::Set(d, weight), hn::LoadU(d, x + c), hn::LoadU(d, y + c)), d, y + c);
      });
    }
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(WeightedSum);

namespace simd {
void weighted_sum(const WeightedWindow& window, float* y, int64_t channels) { HWY_DYNAMIC_DISPATCH(WeightedSum)(window, y, channels); }
}  // namespace simd
}  // namespace fovea::cpu
#endif
