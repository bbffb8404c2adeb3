// Single-threaded loops over contiguous memory, compiled for every instruction set and chosen at run time (Highway). Threads, strides and
// partitions are the callers'.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/storage.h"
#include "ops/activation_kind.h"

namespace fovea::cpu::simd {

// Operands of one type each.
void activate(ActivationKind kind, Source x, Target y, int64_t n);
// dx = dy activation'(x or y); see derivative_from_result.
void activation_grad(ActivationKind kind, Source dy, Source x_or_y, Target dx, int64_t n);
// From either type to either.
void convert(Source x, Target y, int64_t n);

// y = activation(sums (+ bias) (+ residual)), rows of columns; the bias is by column.
struct Finish {
  ActivationKind activation = ActivationKind::identity;
  int64_t rows, columns;
  const float* sums;
  int64_t sums_stride;
  const float* bias = nullptr;
  Source residual;  // of one type with y
  int64_t residual_stride = 0;
  Target y;
  int64_t y_stride;
};
void finish(const Finish& pass);

// y += factor x
void add_scaled(Source x, float factor, float* y, int64_t n);

enum class Binary { add, multiply };
// y = a op b; a step of 0 repeats the operand's first element, 1 walks.
void binary(Binary op, Source a, int64_t a_step, Source b, int64_t b_step, Target y, int64_t n);

// A rectangle of pixels of which the largest wins, the first of equals, or the last that is not a number. y and where may be null.
struct MaxWindow {
  Source x;  // the first one
  int64_t rows, columns, row_step, pixel_step;
  int32_t index, row_index;  // of the first one; between rows
  Target y;
  int32_t* where;  // the winners' indices
};
void max_window(const MaxWindow& window, int64_t channels);
// dx += dy where `where` is index.
void add_where(Source dy, const int32_t* where, int32_t index, float* dx, int64_t n);

// A rectangle of pixels: its first one, the distances of neighbours, and a weight for every row and every column.
struct WeightedWindow {
  Source x;
  int64_t row_step, pixel_step;
  int64_t rows, columns;
  const float *row_weights, *column_weights;
};
// y[c] = sum of row weight * column weight * x[c] over the window; 0 for an empty one.
void weighted_sum(const WeightedWindow& window, Target y, int64_t channels);

struct SgdStep {
  float momentum, weight_decay, rate;
  bool nesterov;
};
void sgd(const SgdStep& step, const float* parameter, const float* gradient, const float* velocity, float* next_parameter,
         float* next_velocity, int64_t n);
// parameter = decay parameter - rate m / (sqrt(v) inv_correction + eps)
struct AdamStep {
  float beta1, one_minus_beta1, beta2, one_minus_beta2, decay, rate, inv_correction, eps;
};
struct AdamState {
  const float *parameter, *gradient, *m, *v;
  float *next_parameter, *next_m, *next_v;
};
void adamw(const AdamStep& step, const AdamState& state, int64_t n);
struct RmspropStep {
  float one_minus_alpha, momentum, eps, weight_decay, rate;
};
struct RmspropState {
  const float *parameter, *gradient, *square, *velocity;
  float *next_parameter, *next_square, *next_velocity;
};
void rmsprop(const RmspropStep& step, const RmspropState& state, int64_t n);
// next = keep sum + scale x; keep 0: sum is not read.
void accumulate(float keep, const float* sum, float scale, const float* x, float* next, int64_t n);

// sum[c] += x[row, c] over rows, in float inside blocks of rows and in double between them; `scratch` holds channels floats.
void column_sum(Source x, int64_t rows, int64_t stride, int64_t channels, float* scratch, double* sum);

// first[c] += x - shift[c], second[c] += (x - shift[c])^2; scratch holds 2 channels floats.
struct ColumnSums {
  double *first, *second;
  float* scratch;
};
void column_moments(Source x, int64_t rows, int64_t stride, int64_t channels, const float* shift, const ColumnSums& sums);

// y = activation((x - mean) scale + offset (+ residual)), rows of channels; vectors of channels floats.
struct Normalize {
  ActivationKind activation = ActivationKind::identity;
  const float *mean, *scale, *offset;
  Source x, residual;  // of one type, with y
  Target y;
  int64_t x_stride, residual_stride = 0, y_stride;
};
void normalize(const Normalize& pass, int64_t row, int64_t rows, int64_t channels);

// The two passes of batch normalization's gradient. dz = dy activation'(...), by z = (x - mean) scale + beta, or by y where y is there.
struct NormalizeGrad {
  ActivationKind activation = ActivationKind::identity;
  const float *mean, *scale, *beta = nullptr;
  Source dy, x, y;  // of one type, with dz and dx
  int64_t dy_stride, x_stride, y_stride = 0;
  // First pass: dz goes here where not null.
  Target dz;
  int64_t dz_stride = 0;
  // Second pass: dx = dz a - (x - mean) b - c
  const float *a = nullptr, *b = nullptr, *c = nullptr;
  Target dx;
  int64_t dx_stride = 0;
};
// first[c] += dz, second[c] += dz (x - mean)
void normalize_grad_sums(const NormalizeGrad& pass, int64_t row, int64_t rows, int64_t channels, const ColumnSums& sums);
void normalize_grad_apply(const NormalizeGrad& pass, int64_t row, int64_t rows, int64_t channels);

}  // namespace fovea::cpu::simd
