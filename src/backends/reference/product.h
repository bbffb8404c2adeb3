// Products of blocks in double, for convolutions: left rows of 4, right columns of 16, both gathered into contiguous memory first. The one
// place of the oracle that is written for speed: at the real size of a network plain loops would take minutes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/parallel.h"

namespace fovea::reference {

// Four doubles side by side: compilers leave plain sums in order and so never vectorize them.
using Four = double __attribute__((vector_size(32)));

inline constexpr int64_t tile_rows = 4, tile_columns = 16, column_groups = tile_columns / 4;

// Rows of 4 columns at a time: right[group][k] holds columns 4 group ... 4 group + 3 of row k.
inline double& right_entry(double* right, int64_t depth, int64_t k, int64_t column) {
  return right[((column / 4) * depth + k) * 4 + column % 4];
}

// sums[row][column] += sum over k, in order, of left[row * left_stride + k] right[k][column].
[[gnu::always_inline]] inline void add_product_tile_by_fours(const double* left, int64_t left_stride, const double* right, int64_t depth,
                                                             double (&sums)[tile_rows][tile_columns]) {
  for (int64_t group = 0; group < column_groups; ++group) {
    const double* const columns = right + group * depth * 4;
    Four s0{}, s1{}, s2{}, s3{};
    for (int64_t k = 0; k < depth; ++k) {
      Four column;  // which may lie at any offset
      std::memcpy(&column, columns + 4 * k, sizeof column);
      s0 += left[k] * column;
      s1 += left[left_stride + k] * column;
      s2 += left[2 * left_stride + k] * column;
      s3 += left[3 * left_stride + k] * column;
    }
    for (int64_t i = 0; i < 4; ++i) {
      sums[0][group * 4 + i] += s0[i];
      sums[1][group * 4 + i] += s1[i];
      sums[2][group * 4 + i] += s2[i];
      sums[3][group * 4 + i] += s3[i];
    }
  }
}

#if defined(__x86_64__)
// Fours in one register: products are rounded before they are added, as without, so the bits are the same.
[[gnu::target("avx2")]] inline void add_product_tile_by_avx2(const double* left, int64_t left_stride, const double* right, int64_t depth,
                                                             double (&sums)[tile_rows][tile_columns]) {
  add_product_tile_by_fours(left, left_stride, right, depth, sums);
}
#endif

inline void add_product_tile(const double* left, int64_t left_stride, const double* right, int64_t depth,
                             double (&sums)[tile_rows][tile_columns]) {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (has_avx2) return add_product_tile_by_avx2(left, left_stride, right, depth, sums);
#endif
  add_product_tile_by_fours(left, left_stride, right, depth, sums);
}

struct ProductShape {
  int64_t rows, columns, depth;
};

inline int64_t product_workspace_doubles(int64_t depth, int64_t slots) { return slots * (tile_rows + tile_columns) * depth; }

// For every row and column: store(row, column, sum over k of left(row)[k] right[k][column]).
//   gather(row, double* left) writes the `depth` numbers of a row;
//   pack(column, set) calls set(k, value) for the numbers of a column that are not 0.
template <class Gather, class Pack, class Store>
void product(const ProductShape& shape, double* workspace, int64_t slots, const Gather& gather, const Pack& pack, const Store& store) {
  constexpr int64_t chunk_rows = 512;
  const auto& [rows, columns, depth] = shape;
  const int64_t chunks = (rows + chunk_rows - 1) / chunk_rows, tasks = (columns + tile_columns - 1) / tile_columns * chunks;
  const int64_t grain = rows * columns * depth < 65536 ? slots : 1;  // what is small is not worth waking threads for
  parallel_for(slots, grain, [&, rows = rows, columns = columns, depth = depth](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot) {
      double* right = workspace + product_workspace_doubles(depth, slot);
      double* left = right + tile_columns * depth;
      int64_t packed = -1;
      for (int64_t task = tasks * slot / slots; task < tasks * (slot + 1) / slots; ++task) {
        const int64_t first = task / chunks * tile_columns, width = std::min(tile_columns, columns - first), chunk = task % chunks;
        if (packed != first) {
          std::fill_n(right, tile_columns * depth, 0.0);
          for (int64_t column = 0; column < width; ++column)
            pack(first + column, [&](int64_t k, double value) { right_entry(right, depth, k, column) = value; });
          packed = first;
        }
        for (int64_t row = chunk * chunk_rows; row < std::min(rows, (chunk + 1) * chunk_rows); row += tile_rows) {
          const int64_t height = std::min(tile_rows, rows - row);
          for (int64_t r = 0; r < tile_rows; ++r) gather(std::min(row + r, rows - 1), left + r * depth);
          double sums[tile_rows][tile_columns] = {};
          add_product_tile(left, depth, right, depth, sums);
          for (int64_t r = 0; r < height; ++r)
            for (int64_t column = 0; column < width; ++column) store(row + r, first + column, sums[r][column]);
        }
      }
    }
  });
}

}  // namespace fovea::reference
