// The two inner loops of resizing, in 32-bit integers, compiled for each instruction set and chosen at run time.
#include <algorithm>

#include "base/simd_targets.h"
#include "image/resize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/resize_simd.cpp"
#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace fovea::image {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int32_t half = 1 << 21;  // rounds to nearest

#if HWY_TARGET == HWY_SCALAR

void ResizeRow(const uint8_t* in, const Taps& taps, uint8_t* out) {
  for (size_t x = 0; x < taps.first.size(); ++x) {
    for (int c = 0; c < 3; ++c) {
      int32_t sum = half;
      for (int64_t t = 0; t < taps.count[x]; ++t) sum += in[3 * (taps.first[x] + t) + c] * taps.of(x)[4 * t];
      out[3 * x + c] = static_cast<uint8_t>(std::clamp(sum >> 22, 0, 255));
    }
  }
}

#else

// One vector holds two pixels, or one, of four 32-bit channels, the fourth of no meaning. Two sums hide the latency of the multiplication.
#if HWY_MAX_BYTES >= 32 && !HWY_HAVE_SCALABLE
constexpr int64_t step = 2;  // taps a vector
#else
constexpr int64_t step = 1;
#endif
using Lanes = hn::FixedTag<int32_t, 4 * step>;
using PixelLanes = hn::FixedTag<int32_t, 4>;

HWY_INLINE hn::VFromD<Lanes> load_pixels(const uint8_t* pixels) {
  const hn::Rebind<uint8_t, Lanes> d_bytes;
#if HWY_MAX_BYTES >= 32 && !HWY_HAVE_SCALABLE
  alignas(8) static constexpr uint8_t spread[8] = {0, 1, 2, 2, 3, 4, 5, 5};
  return hn::PromoteTo(Lanes(), hn::TableLookupBytes(hn::LoadU(d_bytes, pixels), hn::Load(d_bytes, spread)));
#else
  return hn::PromoteTo(Lanes(), hn::LoadU(d_bytes, pixels));
#endif
}

HWY_INLINE hn::VFromD<PixelLanes> add_pixels(hn::VFromD<Lanes> sums) {
#if HWY_MAX_BYTES >= 32 && !HWY_HAVE_SCALABLE
  return hn::Add(hn::LowerHalf(PixelLanes(), sums), hn::UpperHalf(PixelLanes(), sums));
#else
  return sums;
#endif
}

void ResizeRow(const uint8_t* in, const Taps& taps, uint8_t* out) {
  const Lanes d;
  const PixelLanes d_pixel;
  const hn::Rebind<uint8_t, PixelLanes> d_pixel_bytes;
  for (size_t x = 0; x < taps.first.size(); ++x) {
    const uint8_t* pixels = in + 3 * taps.first[x];
    const int32_t* weights = taps.of(x);
    const int64_t count = taps.count[x];
    auto even = hn::Zero(d), odd = hn::Zero(d);
    int64_t t = 0;
    for (; t + step < count; t += 2 * step) {
      even = hn::Add(even, hn::Mul(load_pixels(pixels + 3 * t), hn::LoadU(d, weights + 4 * t)));
      odd = hn::Add(odd, hn::Mul(load_pixels(pixels + 3 * (t + step)), hn::LoadU(d, weights + 4 * (t + step))));
    }
    if (t < count) even = hn::Add(even, hn::Mul(load_pixels(pixels + 3 * t), hn::LoadU(d, weights + 4 * t)));
    const auto sum = hn::Add(hn::Set(d_pixel, half), add_pixels(hn::Add(even, odd)));
    hn::StoreU(hn::DemoteTo(d_pixel_bytes, hn::ShiftRight<22>(sum)), d_pixel_bytes, out + 3 * x);
  }
}

#endif

void BlendRows(const uint8_t* in, int64_t stride_bytes, const int32_t* weights, int64_t rows, int64_t bytes, uint8_t* out) {
  const hn::ScalableTag<int32_t> d;
  const hn::Rebind<uint8_t, decltype(d)> d_bytes;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t x = 0;
  for (; x + 4 * lanes <= bytes; x += 4 * lanes) {
    auto sum0 = hn::Set(d, half), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    const uint8_t* row = in + x;
    for (int64_t y = 0; y < rows; ++y, row += stride_bytes) {
      const auto weight = hn::Set(d, weights[4 * y]);
      sum0 = hn::Add(sum0, hn::Mul(hn::PromoteTo(d, hn::LoadU(d_bytes, row)), weight));
      sum1 = hn::Add(sum1, hn::Mul(hn::PromoteTo(d, hn::LoadU(d_bytes, row + lanes)), weight));
      sum2 = hn::Add(sum2, hn::Mul(hn::PromoteTo(d, hn::LoadU(d_bytes, row + 2 * lanes)), weight));
      sum3 = hn::Add(sum3, hn::Mul(hn::PromoteTo(d, hn::LoadU(d_bytes, row + 3 * lanes)), weight));
    }
    hn::StoreU(hn::DemoteTo(d_bytes, hn::ShiftRight<22>(sum0)), d_bytes, out + x);
    hn::StoreU(hn::DemoteTo(d_bytes, hn::ShiftRight<22>(sum1)), d_bytes, out + x + lanes);
    hn::StoreU(hn::DemoteTo(d_bytes, hn::ShiftRight<22>(sum2)), d_bytes, out + x + 2 * lanes);
    hn::StoreU(hn::DemoteTo(d_bytes, hn::ShiftRight<22>(sum3)), d_bytes, out + x + 3 * lanes);
  }
  for (; x < bytes; ++x) {
    int32_t sum = half;
    for (int64_t y = 0; y < rows; ++y) sum += in[y * stride_bytes + x] * weights[4 * y];
    out[x] = static_cast<uint8_t>(sum < 0 ? 0 : (sum >> 22) > 255 ? 255 : sum >> 22);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::image
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::image {

HWY_EXPORT(ResizeRow);
HWY_EXPORT(BlendRows);

void resize_row(const uint8_t* in, const Taps& taps, uint8_t* out) { HWY_DYNAMIC_DISPATCH(ResizeRow)(in, taps, out); }

void blend_rows(const uint8_t* in, int64_t stride_bytes, const int32_t* weights, int64_t rows, int64_t bytes, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(BlendRows)(in, stride_bytes, weights, rows, bytes, out);
}

}  // namespace fovea::image
#endif
