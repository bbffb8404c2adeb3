#include "backends/cpu/few_pixels.h"

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/few_pixels_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/matrix-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

void PixelProductFloat(const simd::PixelProduct<float>& p) {
  for (int64_t k = 0; k < p.depth; k += kDepthAtOnce)
    multiply_tiles<false>(
        {p.pixels, std::min(kDepthAtOnce, p.depth - k), p.columns, p.x + k, p.x_stride, p.panel + k * p.columns, p.sums, k > 0});
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(PixelProductFloat);
namespace simd {
void pixel_product(const PixelProduct<float>& product) { HWY_DYNAMIC_DISPATCH(PixelProductFloat)(product); }
}  // namespace simd
}  // namespace fovea::cpu
#endif
