// Matrix products with a right side that lies in panels; included once for every instruction set.
#if defined(FOVEA_CPU_MATRIX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_CPU_MATRIX_INL_H_
#undef FOVEA_CPU_MATRIX_INL_H_
#else
#define FOVEA_CPU_MATRIX_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <utility>

#include "backends/cpu/panels.h"
#include "backends/cpu/unroll.h"
#include "base/checked_memory.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using simd::kPanelUnit;

using UnitTag = hn::CappedTag<float, kPanelUnit>;
constexpr int64_t kLanes = hn::MaxLanes(UnitTag());
constexpr int64_t kUnitVectors = kPanelUnit / kLanes;
// As many as leave registers for a row of the right side and one number of the left one.
constexpr int64_t kMostUnits = HWY_TARGET <= HWY_AVX3 ? 4 : 1;
constexpr int64_t kMostRows = HWY_TARGET <= HWY_AVX3 ? 7 : HWY_TARGET == HWY_SCALAR ? 1 : 6;

// c [rows, columns] = (c +) a [rows, depth] b [depth, columns]; columns are a multiple of kPanelUnit, b and c have no gaps.
struct TileMatrix {
  int64_t rows, depth, columns;
  const float* a;
  int64_t a_stride;
  const float* b;
  float* c;
  bool add;
};

// What will be read next, brought into the second-level cache meanwhile: a line in each step of the depth, `step` numbers apart.
struct Ahead {
  const float* at;
  int64_t step;
};

// a(row, k) is a[k a_stride + row] where it is read transposed.
template <bool kTransposed, int64_t kRows, int64_t kVectors>
HWY_NOINLINE HWY_ATTR FOVEA_CHECKED_BEFORE void matrix_tile(const TileMatrix& p, const float* a, const float* b, float* c, Ahead ahead) {
  const UnitTag d;
  using V = hn::Vec<UnitTag>;
  V sums[kRows][kVectors];
  FOVEA_UNROLL for (int64_t r = 0; r < kRows; ++r) { FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) sums[r][v] = hn::Zero(d); }
  const int64_t stride = p.a_stride, depth = p.depth, columns = p.columns;
  for (int64_t k = 0; k < depth; ++k, b += columns) {
    __builtin_prefetch(ahead.at, 0, 2);
    ahead.at += ahead.step;
    V right[kVectors];
    FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, b + v * kLanes);
    FOVEA_UNROLL for (int64_t r = 0; r < kRows; ++r) {
      const V left = hn::Set(d, kTransposed ? a[k * stride + r] : a[r * stride + k]);
      FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(left, right[v], sums[r][v]);
    }
  }
  FOVEA_UNROLL for (int64_t r = 0; r < kRows; ++r) {
    FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) {
      float* const to = c + r * columns + v * kLanes;
      hn::StoreU(p.add ? hn::Add(sums[r][v], hn::LoadU(d, to)) : sums[r][v], d, to);
    }
  }
}

using TileFunction = void (*)(const TileMatrix&, const float*, const float*, float*, Ahead);

template <bool kTransposed, int64_t kVectors, size_t... kIndex>
constexpr std::array<TileFunction, sizeof...(kIndex)> tiles_of_rows(std::index_sequence<kIndex...>) {
  return {matrix_tile<kTransposed, static_cast<int64_t>(kIndex) + 1, kVectors>...};
}
template <bool kTransposed, size_t... kUnits>
constexpr std::array<std::array<TileFunction, kMostRows>, kMostUnits> tiles_of_units(std::index_sequence<kUnits...>) {
  return {tiles_of_rows<kTransposed, (static_cast<int64_t>(kUnits) + 1) * kUnitVectors>(std::make_index_sequence<kMostRows>())...};
}
// By units and by rows, less one.
template <bool kTransposed>
constexpr auto kMatrixTiles = tiles_of_units<kTransposed>(std::make_index_sequence<kMostUnits>());

// Rows are divided evenly, so that the last ones are not few. What follows the right side in memory is read ahead: as weights are used by
// few rows only, waiting for them would take as long as the products.
template <bool kTransposed>
HWY_INLINE HWY_ATTR void multiply_tiles(const TileMatrix& p) {
  constexpr int64_t kColumns = kMostUnits * kPanelUnit, kLine = 16, kNumber = sizeof(float);
  const int64_t lines = kTransposed ? p.depth : p.rows, numbers = kTransposed ? p.rows : p.depth;
  check_memory(p.a, lines, numbers * kNumber, p.a_stride * kNumber);
  check_memory(p.b, 1, p.depth * p.columns * kNumber, 0);
  check_memory(p.c, 1, p.rows * p.columns * kNumber, 0);
  const int64_t blocks = (p.rows + kMostRows - 1) / kMostRows, calls = blocks * ((p.columns + kColumns - 1) / kColumns);
  Ahead ahead{p.b + p.depth * p.columns, std::max<int64_t>(1, p.columns / kLine / calls) * kLine};
  const float* const end = ahead.at + p.depth * p.columns;
  for (int64_t column = 0; column < p.columns; column += kColumns) {
    const auto units = static_cast<size_t>(std::min(kMostUnits, (p.columns - column) / kPanelUnit));
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t row = p.rows * block / blocks;
      const auto rows = static_cast<size_t>(p.rows * (block + 1) / blocks - row);
      if (ahead.at >= end) ahead.step = 0;
      kMatrixTiles<kTransposed>[units - 1][rows - 1](p, p.a + row * (kTransposed ? 1 : p.a_stride), p.b + column,
                                                     p.c + row * p.columns + column, ahead);
      ahead.at += ahead.step * p.depth;
    }
  }
}

// Depth at once: so many rows of the right side stay in the first-level cache for all rows of the left one, and sums of sums are more exact
// than one long sum.
constexpr int64_t kDepthAtOnce = 128;

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
