#include "backends/cpu/depthwise.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/depthwise_simd.cpp"
#define HWY_DISABLED_TARGETS HWY_SSSE3  // too like SSE4 to pay for its compile time
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/loops-inl.h"

#ifndef FOVEA_UNROLL
#ifdef __clang__
#define FOVEA_UNROLL _Pragma("unroll")
#else
#define FOVEA_UNROLL _Pragma("GCC unroll 8")
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

// Adds dy(oy, ox) x(oy s + i, ox s + j) over a line of results, for kRows kernel rows from `i` on and kColumns kernel columns, to
// registers.
template <int kRows, int kColumns, class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void add_line(D d, const simd::DepthwiseBlock& b, int64_t oy, int64_t i, int64_t c, V (&sums)[kRows][kColumns]) {
  const float* dy = b.dy + oy * b.out_width * b.channels + c;
  const int64_t line = b.width * b.channels, step = b.stride_width * b.channels;
  const float* const x = b.x + (oy * b.stride_height - b.top + i) * line + c;
  const auto edge = [&](int64_t ox) HWY_ATTR {
    const V g = hn::LoadU(d, dy + ox * b.channels);
    const int64_t ix = ox * b.stride_width - b.left;
    FOVEA_UNROLL for (int j = 0; j < kColumns; ++j) {
      if (ix + j < 0 || ix + j >= b.width) continue;
      FOVEA_UNROLL for (int r = 0; r < kRows; ++r) sums[r][j] =
          hn::MulAdd(g, hn::LoadU(d, x + r * line + (ix + j) * b.channels), sums[r][j]);
    }
  };
  for (int64_t ox = 0; ox < b.inner_first; ++ox) edge(ox);
  const float* from = x + (b.inner_first * b.stride_width - b.left) * b.channels;
  for (int64_t ox = b.inner_first; ox < b.inner_last; ++ox, from += step) {
    const V g = hn::LoadU(d, dy + ox * b.channels);
    FOVEA_UNROLL for (int r = 0; r < kRows; ++r) {
      FOVEA_UNROLL for (int j = 0; j < kColumns; ++j) sums[r][j] =
          hn::MulAdd(g, hn::LoadU(d, from + r * line + j * b.channels), sums[r][j]);
    }
  }
  for (int64_t ox = std::max(b.inner_first, b.inner_last); ox < b.out_width; ++ox) edge(ox);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void add_to_doubles(D d, V v, double* to) {
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(v, d, lanes);
  const hn::CappedTag<double, (hn::MaxLanes(d) > 1 ? hn::MaxLanes(d) / 2 : 1)> wide;
  const hn::Rebind<float, decltype(wide)> narrow;
  for (size_t i = 0; i < hn::Lanes(d); i += hn::Lanes(wide))
    hn::StoreU(hn::Add(hn::LoadU(wide, to + i), hn::PromoteTo(wide, hn::LoadU(narrow, lanes + i))), wide, to + i);
}

// The lines of the block where kernel rows [i, i + kRows) all lie inside the image.
template <int kRows, int kColumns, class D>
HWY_INLINE HWY_ATTR void add_rows(D d, const simd::DepthwiseBlock& b, int64_t i, int64_t c) {
  using V = hn::Vec<D>;
  V sums[kRows][kColumns];
  FOVEA_UNROLL for (int r = 0; r < kRows; ++r) { FOVEA_UNROLL for (int j = 0; j < kColumns; ++j) sums[r][j] = hn::Zero(d); }
  for (int64_t oy = b.first; oy < b.last; ++oy) {
    const int64_t iy = oy * b.stride_height - b.top + i;
    if (iy >= 0 && iy + kRows <= b.height) {
      add_line<kRows, kColumns>(d, b, oy, i, c, sums);
      continue;
    }
    FOVEA_UNROLL for (int r = 0; r < kRows; ++r) {
      if (iy + r < 0 || iy + r >= b.height) continue;
      V one[1][kColumns];
      FOVEA_UNROLL for (int j = 0; j < kColumns; ++j) one[0][j] = sums[r][j];
      add_line<1, kColumns>(d, b, oy, i + r, c, one);
      FOVEA_UNROLL for (int j = 0; j < kColumns; ++j) sums[r][j] = one[0][j];
    }
  }
  FOVEA_UNROLL for (int r = 0; r < kRows; ++r) {
    FOVEA_UNROLL for (int j = 0; j < kColumns; ++j) add_to_doubles(d, sums[r][j], b.sums + ((i + r) * kColumns + j) * b.channels + c);
  }
}

template <int kColumns>
HWY_INLINE HWY_ATTR void add_block(const simd::DepthwiseBlock& b) {
  // As many kernel rows at once as leave registers free.
  constexpr int kRegisters = HWY_TARGET <= HWY_AVX3 ? 26 : 12;
  constexpr int kRows = std::max(1, std::min(kColumns, kRegisters / kColumns));
  for_each_vector(b.channels, [&b](auto d, int64_t c) HWY_ATTR {
    int64_t i = 0;
    for (; i + kRows <= b.kernel_height; i += kRows) add_rows<kRows, kColumns>(d, b, i, c);
    for (; i < b.kernel_height; ++i) add_rows<1, kColumns>(d, b, i, c);
  });
}

void DepthwiseWeightGrad(const simd::DepthwiseBlock& block) {
  switch (block.kernel_width) {
    case 3:
      return add_block<3>(block);
    case 5:
      return add_block<5>(block);
    case 7:
      return add_block<7>(block);
  }
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(DepthwiseWeightGrad);
namespace simd {
void depthwise_weight_grad(const DepthwiseBlock& block) { HWY_DYNAMIC_DISPATCH(DepthwiseWeightGrad)(block); }
}  // namespace simd
}  // namespace fovea::cpu
#endif
