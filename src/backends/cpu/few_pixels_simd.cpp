#include "backends/cpu/few_pixels.h"

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/few_pixels_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/activation-inl.h"
#include "backends/cpu/loops-inl.h"
#include "backends/cpu/matrix-inl.h"
#include "backends/cpu/storage-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

void PixelProductFloat(const simd::PixelProduct<float>& p) {
  for (int64_t k = 0; k < p.depth; k += kDepthAtOnce)
    multiply_tiles<false>(
        {p.pixels, std::min(kDepthAtOnce, p.depth - k), p.columns, p.x + k, p.x_stride, p.panel + k * p.columns, p.sums, k > 0});
}

template <ActivationKind K>
struct PixelLoop {
  template <class T>
  static void run(const simd::PixelResults<T>& r, const float* sums, int64_t columns, int64_t first, int64_t outputs) {
    for (int64_t pixel = 0; pixel < r.pixels; ++pixel, sums += columns)
      for_each_vector(outputs, [&](auto d, int64_t c) HWY_ATTR {
        auto result = hn::LoadU(d, sums + c);
        if (r.bias) result = hn::Add(result, hn::LoadU(d, r.bias + first + c));
        if (r.residual) result = hn::Add(result, load(d, r.residual + pixel * r.residual_stride + first + c));
        store(d, activate_vector<K, T>(d, result), r.y + pixel * r.y_stride + first + c);
      });
  }
};

void PixelResultsFloat(const simd::PixelResults<float>& results, const float* sums, int64_t columns, int64_t first, int64_t outputs) {
  by_activation<PixelLoop>(results.activation, results, sums, columns, first, outputs);
}
void PixelResultsBf16(const simd::PixelResults<Bf16>& results, const float* sums, int64_t columns, int64_t first, int64_t outputs) {
  by_activation<PixelLoop>(results.activation, results, sums, columns, first, outputs);
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(PixelProductFloat);
HWY_EXPORT(PixelResultsFloat);
HWY_EXPORT(PixelResultsBf16);
namespace simd {
void pixel_product(const PixelProduct<float>& product) { HWY_DYNAMIC_DISPATCH(PixelProductFloat)(product); }
void pixel_results(const PixelResults<float>& results, const float* sums, int64_t columns, int64_t first, int64_t outputs) {
  HWY_DYNAMIC_DISPATCH(PixelResultsFloat)(results, sums, columns, first, outputs);
}
void pixel_results(const PixelResults<Bf16>& results, const float* sums, int64_t columns, int64_t first, int64_t outputs) {
  HWY_DYNAMIC_DISPATCH(PixelResultsBf16)(results, sums, columns, first, outputs);
}
}  // namespace simd
}  // namespace fovea::cpu
#endif
