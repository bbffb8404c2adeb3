// Winograd's transforms on vectors and the products between them; included once for every instruction set.
#if defined(FOVEA_CPU_WINOGRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_CPU_WINOGRAD_INL_H_
#undef FOVEA_CPU_WINOGRAD_INL_H_
#else
#define FOVEA_CPU_WINOGRAD_INL_H_
#endif

#include <hwy/highway.h>

#include <array>

#include "backends/cpu/loops-inl.h"
#include "backends/cpu/matrix-inl.h"
#include "backends/cpu/unroll.h"
#include "backends/cpu/winograd.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using simd::kTilePixels, simd::kTilePoints, simd::kTileResults;

// The points of the interpolation: 0, +-kA, +-kB and infinity. With the usual 0, +-1, +-2 the error is about three times as large; these
// are the best of all pairs of sixteenths, measured on convolutions of normal and of positive numbers, 64 to 512 channels.
constexpr double kA = 11.0 / 16, kB = 3.0 / 2;
constexpr double kA2 = kA * kA, kB2 = kB * kB;
// The denominators of Lagrange's polynomials.
constexpr double kNorm0 = 1 / (kA2 * kB2), kNormA = 1 / (2 * kA2 * (kA2 - kB2)), kNormB = 1 / (2 * kB2 * (kB2 - kA2));

template <class D>
HWY_INLINE HWY_ATTR hn::Vec<D> number(D d, double value) {
  return hn::Set(d, static_cast<hn::TFromD<D>>(value));
}

// B': six numbers in place.
template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void pixels_to_points(D d, V (&x)[6]) {
  const V a = number(d, kA), b = number(d, kB), a2 = number(d, kA2), b2 = number(d, kB2);
  const V sum = number(d, kA2 + kB2), product = number(d, kA2 * kB2);
  const V even_a = hn::NegMulAdd(b2, x[2], x[4]), odd_a = hn::NegMulAdd(b2, x[1], x[3]);
  const V even_b = hn::NegMulAdd(a2, x[2], x[4]), odd_b = hn::NegMulAdd(a2, x[1], x[3]);
  x[0] = hn::MulAdd(product, x[0], hn::NegMulAdd(sum, x[2], x[4]));
  x[5] = hn::MulAdd(product, x[1], hn::NegMulAdd(sum, x[3], x[5]));
  x[1] = hn::MulAdd(a, odd_a, even_a);
  x[2] = hn::NegMulAdd(a, odd_a, even_a);
  x[3] = hn::MulAdd(b, odd_b, even_b);
  x[4] = hn::NegMulAdd(b, odd_b, even_b);
}

// G of three numbers, or of four.
template <size_t kTaps, class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void taps_to_points(D d, const V (&g)[kTaps], V (&u)[6]) {
  V even_a = hn::MulAdd(number(d, kA2), g[2], g[0]), odd_a = g[1], even_b = hn::MulAdd(number(d, kB2), g[2], g[0]), odd_b = g[1];
  if constexpr (kTaps == 4) {
    odd_a = hn::MulAdd(number(d, kA2), g[3], odd_a);
    odd_b = hn::MulAdd(number(d, kB2), g[3], odd_b);
  }
  even_a = hn::Mul(number(d, kNormA), even_a), odd_a = hn::Mul(number(d, kNormA * kA), odd_a);
  even_b = hn::Mul(number(d, kNormB), even_b), odd_b = hn::Mul(number(d, kNormB * kB), odd_b);
  u[0] = hn::Mul(number(d, kNorm0), g[0]);
  u[1] = hn::Add(even_a, odd_a);
  u[2] = hn::Sub(even_a, odd_a);
  u[3] = hn::Add(even_b, odd_b);
  u[4] = hn::Sub(even_b, odd_b);
  u[5] = g[kTaps - 1];
}

// A': six numbers to four, or to three.
template <size_t kResults, class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void points_to_results(D d, const V (&m)[6], V (&y)[kResults]) {
  const V even_a = hn::Add(m[1], m[2]), odd_a = hn::Sub(m[1], m[2]), even_b = hn::Add(m[3], m[4]), odd_b = hn::Sub(m[3], m[4]);
  y[0] = hn::Add(m[0], hn::Add(even_a, even_b));
  y[1] = hn::MulAdd(number(d, kA), odd_a, hn::Mul(number(d, kB), odd_b));
  y[2] = hn::MulAdd(number(d, kA2), even_a, hn::Mul(number(d, kB2), even_b));
  if constexpr (kResults == 4) y[3] = hn::MulAdd(number(d, kA2 * kA), odd_a, hn::Mul(number(d, kB2 * kB), odd_b));
  y[kResults - 1] = hn::Add(y[kResults - 1], m[5]);
}

struct TilePlace {
  int64_t picture, y, x;
  TilePlace(const simd::TileGrid& grid, int64_t tile)
      : picture(tile / grid.each()), y(tile % grid.each() / grid.across), x(tile % grid.across) {}
};

// The pixels of a square of `kSide` from (y, x) on; those outside of the picture are zeros.
template <int64_t kSide>
HWY_INLINE std::array<const float*, kSide * kSide> square(const simd::TilePixels& p, int64_t picture, int64_t y, int64_t x) {
  std::array<const float*, kSide * kSide> pixels;
  for (int64_t i = 0; i < kSide; ++i)
    for (int64_t j = 0; j < kSide; ++j) {
      const bool inside = y + i >= 0 && y + i < p.height && x + j >= 0 && x + j < p.width;
      pixels[static_cast<size_t>(i * kSide + j)] = inside ? p.x + ((picture * p.height + y + i) * p.width + x + j) * p.stride : p.zeros;
    }
  return pixels;
}

// The points of a tile of 6x6 pixels: a vector of channels from `c` on.
template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void tile_pixels(D d, const std::array<const float*, kTilePoints>& from, int64_t c, float* v, int64_t plane) {
  V lines[6][6], column[6];
  FOVEA_UNROLL for (size_t j = 0; j < 6; ++j) {
    FOVEA_UNROLL for (size_t i = 0; i < 6; ++i) column[i] = hn::LoadU(d, from[i * 6 + j] + c);
    pixels_to_points(d, column);
    FOVEA_UNROLL for (size_t i = 0; i < 6; ++i) lines[i][j] = column[i];
  }
  FOVEA_UNROLL for (size_t i = 0; i < 6; ++i) {
    pixels_to_points(d, lines[i]);
    FOVEA_UNROLL for (size_t j = 0; j < 6; ++j) hn::StoreU(lines[i][j], d, v + static_cast<int64_t>(i * 6 + j) * plane);
  }
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
