#include "backends/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/resample_simd.cpp"
#define HWY_DISABLED_TARGETS HWY_SSSE3  // too like SSE4 to pay for its compile time
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

void WeightedSum(const simd::WeightedWindow& window, float* y, int64_t channels) {
  for_each_vector(channels, [=, &window](auto d, int64_t c) HWY_ATTR {
    auto sum = hn::Zero(d);
    for (int64_t row = 0; row < window.rows; ++row) {
      const float* const x = window.x + row * window.row_step + c;
      auto row_sum = hn::Zero(d);
      for (int64_t column = 0; column < window.columns; ++column)
        row_sum = hn::MulAdd(hn::Set(d, window.column_weights[column]), hn::LoadU(d, x + column * window.pixel_step), row_sum);
      sum = hn::MulAdd(hn::Set(d, window.row_weights[row]), row_sum, sum);
    }
    hn::StoreU(sum, d, y + c);
  });
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
