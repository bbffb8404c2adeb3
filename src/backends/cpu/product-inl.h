// Products of small matrices that lie in cache; included once for every instruction set.
#if defined(FOVEA_CPU_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_CPU_PRODUCT_INL_H_
#undef FOVEA_CPU_PRODUCT_INL_H_
#else
#define FOVEA_CPU_PRODUCT_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "backends/cpu/attention.h"
#include "backends/cpu/matrix-inl.h"
#include "backends/cpu/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using simd::kTileRows, simd::Panels;

constexpr int64_t kRowsAtOnce = HWY_TARGET == HWY_SCALAR ? 1 : kTileRows;

// c [rows, columns] = (c +) a [rows, depth] b [depth, columns]. Rows are a multiple of kTileRows.
struct Product {
  int64_t rows, columns, depth;
  const float* a;
  int64_t a_stride;
  const float* b;
  int64_t b_stride;  // 0: b lies in Panels
  float* c;
  int64_t c_stride;
  bool add = false;
};

// A column of a is `a_stride` wide where it is read transposed: a(row, k) = a[k a_stride + row].
template <int64_t kRows, int64_t kVectors, bool kTransposed>
HWY_INLINE HWY_ATTR void product_tile(const Product& p, const float* a, const float* b, int64_t b_stride, float* c) {
  const UnitTag d;
  using V = hn::Vec<UnitTag>;
  V sums[kRows][kVectors];
  FOVEA_UNROLL for (int64_t r = 0; r < kRows; ++r) {
    FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) sums[r][v] = p.add ? hn::LoadU(d, c + r * p.c_stride + v * kLanes) : hn::Zero(d);
  }
  const int64_t a_stride = p.a_stride, depth = p.depth;
  for (int64_t k = 0; k < depth; ++k, b += b_stride) {
    V right[kVectors];
    FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, b + v * kLanes);
    FOVEA_UNROLL for (int64_t r = 0; r < kRows; ++r) {
      const V left = hn::Set(d, kTransposed ? a[k * a_stride + r] : a[r * a_stride + k]);
      FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(left, right[v], sums[r][v]);
    }
  }
  FOVEA_UNROLL for (int64_t r = 0; r < kRows; ++r) {
    FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, c + r * p.c_stride + v * kLanes);
  }
}

template <int64_t kUnits, bool kTransposed>
HWY_NOINLINE HWY_ATTR void product_columns(const Product& p, const float* b, int64_t b_stride, float* c) {
  for (int64_t row = 0; row < p.rows; row += kRowsAtOnce)
    product_tile<kRowsAtOnce, kUnits * kUnitVectors, kTransposed>(p, p.a + row * (kTransposed ? 1 : p.a_stride), b, b_stride,
                                                                  c + row * p.c_stride);
}

template <bool kTransposed>
HWY_ATTR void product(const Product& p) {
  const Panels panels(p.columns);
  for (int64_t panel = 0; panel < panels.count; ++panel) {
    const int64_t first = panels.begin(panel), end = panels.begin(panel + 1);
    const bool packed = p.b_stride == 0;
    const int64_t stride = packed ? end - first : p.b_stride;
    for (int64_t column = first; column < end; column += kMostUnits * kPanelUnit) {
      const float* const b = packed ? p.b + first * p.depth + (column - first) : p.b + column;
      const int64_t units = std::min(kMostUnits, (end - column) / kPanelUnit);
      if (units == 1) product_columns<1, kTransposed>(p, b, stride, p.c + column);
      if constexpr (kMostUnits == 4) {
        if (units == 2) product_columns<2, kTransposed>(p, b, stride, p.c + column);
        if (units == 3) product_columns<3, kTransposed>(p, b, stride, p.c + column);
        if (units == 4) product_columns<4, kTransposed>(p, b, stride, p.c + column);
      }
    }
  }
}

// from [rows, columns] times scale into rows `to_stride` apart; the other columns, and rows up to `to_rows`, are 0.
HWY_INLINE HWY_ATTR void copy_padded(const simd::HeadRows& from, int64_t rows, int64_t columns, float scale, float* to, int64_t to_rows,
                                     int64_t to_stride) {
  const UnitTag d;
  const auto factor = hn::Set(d, scale);
  for (int64_t row = 0; row < rows; ++row) {
    const float* const x = from.data + row * from.stride;
    float* const y = to + row * to_stride;
    int64_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) hn::StoreU(hn::Mul(hn::LoadU(d, x + c), factor), d, y + c);
    for (; c < columns; ++c) y[c] = x[c] * scale;
    std::fill(y + c, y + to_stride, 0.0f);
  }
  std::fill(to + rows * to_stride, to + to_rows * to_stride, 0.0f);
}

// 4 x 4 numbers, transposed.
HWY_INLINE HWY_ATTR void transpose_four(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (int64_t i = 0; i < 4; ++i)
    for (int64_t j = 0; j < 4; ++j) to[j * to_stride + i] = from[i * from_stride + j];
#else
  const hn::FixedTag<float, 4> d;
  const hn::RepartitionToWide<decltype(d)> pairs;
  const auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + from_stride);
  const auto c = hn::LoadU(d, from + 2 * from_stride), e = hn::LoadU(d, from + 3 * from_stride);
  const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(d, a, b)), ab_high = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
  const auto ce_low = hn::BitCast(pairs, hn::InterleaveLower(d, c, e)), ce_high = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab_low, ce_low)), d, to);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_low, ce_low)), d, to + to_stride);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab_high, ce_high)), d, to + 2 * to_stride);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_high, ce_high)), d, to + 3 * to_stride);
#endif
}

// from [rows, depth] as the packed right side [depth, rows], padded with zeros.
HWY_INLINE HWY_ATTR void pack_transposed(const simd::HeadRows& from, int64_t rows, int64_t depth, float* to) {
  const Panels panels(rows);
  for (int64_t panel = 0; panel < panels.count; ++panel) {
    const int64_t first = panels.begin(panel), stride = panels.columns(panel), count = std::min(rows - first, stride);
    float* const y = to + first * depth;
    int64_t row = 0;
    for (; row + 4 <= count; row += 4) {
      const float* const x = from.data + (first + row) * from.stride;
      int64_t k = 0;
      for (; k + 4 <= depth; k += 4) transpose_four(x + k, from.stride, y + k * stride + row, stride);
      for (; k < depth; ++k)
        for (int64_t r = 0; r < 4; ++r) y[k * stride + row + r] = x[r * from.stride + k];
    }
    for (; row < stride; ++row)
      for (int64_t k = 0; k < depth; ++k) y[k * stride + row] = row < count ? from.data[(first + row) * from.stride + k] : 0.0f;
  }
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
