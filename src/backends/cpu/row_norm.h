// Loops of normalizations whose statistics are of one row: contiguous numbers, as the channels of a pixel or the weights of an output.
#pragma once

#include "backends/cpu/simd.h"

namespace fovea::cpu::simd {

// y = (x - mean) inv_std gamma + beta, by the mean and the biased variance of each row. No gamma, no beta: ones, zeros. Not centered: by a
// mean of 0 and the mean of squares.
struct RowNorm {
  double eps;
  Source x;
  const float *gamma = nullptr, *beta = nullptr;
  // Results; null where nobody reads them.
  Target y;  // of x's type
  float *mean = nullptr, *inv_std = nullptr;
  int64_t x_stride, y_stride = 0, mean_stride = 1, inv_std_stride = 1;
  bool centered = true;
};
void row_norm(const RowNorm& pass, int64_t row, int64_t rows, int64_t channels);

// dx = (dy gamma - m - n p) inv_std, where n = (x - mean) inv_std and m, p are the means of dy gamma and dy gamma n over the row. Without a
// mean, m and the mean are 0.
struct RowNormGrad {
  Source dy, x;
  const float *gamma = nullptr, *mean = nullptr, *inv_std;
  Target dx;  // of their type
  int64_t dy_stride, x_stride, mean_stride = 1, inv_std_stride = 1, dx_stride = 0;
};
// Where sums has places also first[c] += dy, second[c] += dy n. Either needs what is read before dx is written: dx may be where dy or x
// was.
void row_norm_grad(const RowNormGrad& pass, int64_t row, int64_t rows, int64_t channels, const ColumnSums& sums);

}  // namespace fovea::cpu::simd
