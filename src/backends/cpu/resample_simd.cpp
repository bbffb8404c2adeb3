#include "backends/cpu/simd.h"

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/resample_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/loops-inl.h"
#include "backends/cpu/storage-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

template <class T>
void weighted_sum_loop(const simd::WeightedWindow& window, T* y, int64_t channels) {
  const T* const x = window.x.as<T>();
  for_each_vector(channels, [=](auto d, int64_t c) HWY_ATTR {
    auto sum = hn::Zero(d);
    for (int64_t row = 0; row < window.rows; ++row)
      for (int64_t column = 0; column < window.columns; ++column) {
        const float weight = window.row_weights[row] * window.column_weights[column];
        sum = hn::MulAdd(hn::Set(d, weight), load(d, x + row * window.row_step + column * window.pixel_step + c), sum);
      }
    store(d, sum, y + c);
  });
}
void WeightedSum(const simd::WeightedWindow& window, Target y, int64_t channels) {
  y.bf16 ? weighted_sum_loop(window, y.as<Bf16>(), channels) : weighted_sum_loop(window, y.as<float>(), channels);
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(WeightedSum);

namespace simd {
void weighted_sum(const WeightedWindow& window, Target y, int64_t channels) { HWY_DYNAMIC_DISPATCH(WeightedSum)(window, y, channels); }
}  // namespace simd
}  // namespace fovea::cpu
#endif
