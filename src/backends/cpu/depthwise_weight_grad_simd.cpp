#include <algorithm>

#include "backends/cpu/depthwise.h"
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/depthwise_weight_grad_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/storage-inl.h"
#include "backends/cpu/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

using simd::DepthwiseBlock;

// As many kernel rows at once as leave registers for the pixels of dy that are held and one of x.
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3;
constexpr int rows_at_once(int kernel) { return std::max(1, std::min(kernel, (kManyRegisters ? 25 : 10) / kernel)); }
constexpr int tile_of(int rows, int kernel) { return std::min(7, (kManyRegisters ? 31 : 15) - rows * kernel); }

// Whether there is code for tiles of several results: where there are vectors, in bfloat16 those of AVX-512.
template <class T>
constexpr bool kHasTiles = HWY_TARGET != HWY_SCALAR && (sizeof(T) == sizeof(float) || HWY_TARGET <= HWY_AVX3);

// Adds dy(ox) x(ox s + j) over a line of results, for kRows lines from x on and kColumns kernel columns, to registers. A stride of 0 stands
// for any other than 1 and 2. kInner: tiles whose windows lie inside the line have code of their own.
template <int kRows, int kColumns, int kStride, bool kInner, class D, class T, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void add_line(D d, const DepthwiseBlock<T>& b, const T* dy, const T* x, V (&sums)[kRows][kColumns]) {
  constexpr int kTile = kStride == 0 ? 1 : tile_of(kRows, kColumns), kReach = kStride * (kTile - 1) + kColumns;
  const int64_t line = b.width * b.x_step, step = b.x_step;
  for (int64_t ox = 0; ox < b.out_width; ox += kTile) {
    const int64_t ix = ox * b.stride_width - b.left, low = -ix, high = b.width - ix;
    const bool inside = kInner && low <= 0 && high >= kReach && ox + kTile <= b.out_width;
    V g[kTile];
    FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) g[t] =
        inside || ox + t < b.out_width ? load(d, dy + (ox + t) * b.dy_step) : hn::Zero(d);
    FOVEA_UNROLL_WHOLLY for (int r = 0; r < kRows; ++r) {
      const T* const from = x + r * line + ix * step;
      if (inside) {
        FOVEA_UNROLL_WHOLLY for (int k = 0; k < kReach; ++k) {
          const V value = load(d, from + k * step);
          FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
            const int j = k - t * kStride;
            if (j >= 0 && j < kColumns) sums[r][j] = hn::MulAdd(g[t], value, sums[r][j]);
          }
        }
      } else {
        FOVEA_UNROLL_WHOLLY for (int k = 0; k < kReach; ++k) {
          if (k < low || k >= high) continue;
          const V value = load(d, from + k * step);
          FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
            const int j = k - t * kStride;
            if (j >= 0 && j < kColumns) sums[r][j] = hn::MulAdd(g[t], value, sums[r][j]);
          }
        }
      }
    }
  }
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

// The block's lines, for kernel rows [i, i + kRows).
template <int kRows, int kColumns, int kStride, class D, class T>
HWY_NOINLINE HWY_ATTR void add_rows(D d, const DepthwiseBlock<T>& b, int64_t i, int64_t c) {
  using V = hn::Vec<D>;
  V sums[kRows][kColumns];
  FOVEA_UNROLL_WHOLLY for (int r = 0; r < kRows; ++r) { FOVEA_UNROLL_WHOLLY for (int j = 0; j < kColumns; ++j) sums[r][j] = hn::Zero(d); }
  for (int64_t line = b.first, oy = b.first % b.out_height; line < b.last; ++line, ++oy) {
    if (oy == b.out_height) oy = 0;
    const int64_t iy = oy * b.stride_height - b.top + i;
    const T* const dy = b.dy + line * b.out_width * b.dy_step + c;
    const T* const x = b.x + (line / b.out_height * b.height + iy) * b.width * b.x_step + c;
    if (iy >= 0 && iy + kRows <= b.height) {
      add_line<kRows, kColumns, kStride, (kStride > 0)>(d, b, dy, x, sums);
      continue;
    }
    if constexpr (kRows > 1) {
      FOVEA_UNROLL_WHOLLY for (int r = 0; r < kRows; ++r) {
        if (iy + r < 0 || iy + r >= b.height) continue;
        V one[1][kColumns];
        FOVEA_UNROLL_WHOLLY for (int j = 0; j < kColumns; ++j) one[0][j] = sums[r][j];
        add_line<1, kColumns, kStride, false>(d, b, dy, x + r * b.width * b.x_step, one);
        FOVEA_UNROLL_WHOLLY for (int j = 0; j < kColumns; ++j) sums[r][j] = one[0][j];
      }
    }
  }
  FOVEA_UNROLL_WHOLLY for (int r = 0; r < kRows; ++r) {
    FOVEA_UNROLL_WHOLLY for (int j = 0; j < kColumns; ++j)
        add_to_doubles(d, sums[r][j], b.sums + ((i + r) * kColumns + j) * b.channels + c);
  }
}

template <int kColumns, int kStride, class D, class T>
HWY_INLINE HWY_ATTR void add_channels(D d, const DepthwiseBlock<T>& b, int64_t c) {
  constexpr int kRows = kStride > 0 ? rows_at_once(kColumns) : 1;
  int64_t i = 0;
  for (; i + kRows <= b.kernel_height; i += kRows) add_rows<kRows, kColumns, kStride>(d, b, i, c);
  if constexpr (kRows > 1)
    for (; i < b.kernel_height; ++i) add_rows<1, kColumns, kStride>(d, b, i, c);
}

template <int kColumns, int kStride, class T>
HWY_INLINE HWY_ATTR void add_block(const DepthwiseBlock<T>& b) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 8> eight;
  const hn::CappedTag<float, 4> four;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(full));
  int64_t c = b.first_channel;
  // What one row of a kernel takes waits for its sums, tiles or not: tails of channels are not worth more code.
  for (; c + lanes <= b.last_channel; c += lanes) add_channels<kColumns, kStride>(full, b, c);
  if constexpr (hn::MaxLanes(full) > 8)
    for (; c + 8 <= b.last_channel; c += 8) add_channels<kColumns, 0>(eight, b, c);
  if constexpr (hn::MaxLanes(full) > 4)
    for (; c + 4 <= b.last_channel; c += 4) add_channels<kColumns, 0>(four, b, c);
  for (; c < b.last_channel; ++c) add_channels<kColumns, 0>(one, b, c);
}

template <int kColumns, class T>
HWY_INLINE HWY_ATTR void by_stride(const DepthwiseBlock<T>& b) {
  if constexpr (kHasTiles<T>) {
    if (b.stride_width == 1) return add_block<kColumns, 1>(b);
    if (b.stride_width == 2) return add_block<kColumns, 2>(b);
  }
  add_block<kColumns, 0>(b);
}

template <class T>
HWY_INLINE HWY_ATTR void by_width(const DepthwiseBlock<T>& b) {
  if (b.kernel_width == 3) return by_stride<3>(b);
  if (b.kernel_width == 5) return by_stride<5>(b);
  if (b.kernel_width == 7) return by_stride<7>(b);
}

void DepthwiseWeightGradFloat(const DepthwiseBlock<float>& block) { by_width(block); }
void DepthwiseWeightGradBf16(const DepthwiseBlock<Bf16>& block) { by_width(block); }

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(DepthwiseWeightGradFloat);
HWY_EXPORT(DepthwiseWeightGradBf16);
namespace simd {
void depthwise_weight_grad(const DepthwiseBlock<float>& block) { HWY_DYNAMIC_DISPATCH(DepthwiseWeightGradFloat)(block); }
void depthwise_weight_grad(const DepthwiseBlock<Bf16>& block) { HWY_DYNAMIC_DISPATCH(DepthwiseWeightGradBf16)(block); }
}  // namespace simd
}  // namespace fovea::cpu
#endif
