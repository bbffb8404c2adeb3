// Batch normalization. Sums are cut into as many parts as there were threads at planning: float inside blocks of rows, double between them.
#include <algorithm>
#include <cmath>

#include "backends/cpu/candidates.h"
#include "backends/cpu/moments.h"
#include "backends/cpu/simd.h"
#include "ops/batch_norm.h"

namespace fovea::cpu {
namespace {

// The workspace of a two-sum reduction followed by a pass over rows: vectors of channels numbers.
struct Layout {
  int64_t rows, channels, parts = threads();

  size_t floats(size_t count) const { return align64(count * static_cast<size_t>(channels) * sizeof(float)); }
  size_t doubles(size_t count) const { return align64(count * static_cast<size_t>(channels) * sizeof(double)); }
  size_t part_bytes() const { return doubles(2) + floats(2); }
  size_t vectors_offset() const { return part_bytes() * static_cast<size_t>(parts); }
  size_t workspace_bytes(size_t vectors) const { return vectors_offset() + vectors * floats(1); }

  float* vector(const Bound& bound, size_t i) const { return bound.scratch<float>(vectors_offset() + i * floats(1)); }
  simd::ColumnSums sums(const Bound& bound, int64_t part) const {
    auto* const first = bound.scratch<double>(static_cast<size_t>(part) * part_bytes());
    return {first, first + channels, bound.scratch<float>(static_cast<size_t>(part) * part_bytes() + doubles(2))};
  }

  // Calls body(first row, rows, sums) once a part.
  template <class Body>
  void reduce(const Bound& bound, const Body& body) const {
    parallel_kernel(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        const simd::ColumnSums into = sums(bound, part);
        std::fill_n(into.first, 2 * channels, 0.0);
        const int64_t from = rows * part / parts;
        body(from, rows * (part + 1) / parts - from, into);
      }
    });
  }
  struct Total {
    double first = 0, second = 0;
  };
  Total total(const Bound& bound, int64_t c) const {
    Total total;
    for (int64_t part = 0; part < parts; ++part) {
      total.first += sums(bound, part).first[c];
      total.second += sums(bound, part).second[c];
    }
    return total;
  }
  // Calls body(first row, rows) over all of them.
  template <class Body>
  void apply(const Body& body) const {
    parallel_kernel(rows, std::max<int64_t>(1, kGrain / channels), [&](int64_t begin, int64_t end) { body(begin, end - begin); });
  }
};

}  // namespace

Planned plan_batch_norm_training(const Request& request) {
  const BatchNormTraining op = *request.op.as<BatchNormTraining>();
  if (!has_pixels(request.inputs[0])) return refuse("{} has nothing to normalize", to_string(request.inputs[0].type));
  if (!of_one_type({&request.inputs[0], &request.outputs[0], &request.inputs[op.residual ? 5 : 0]})) return refuse("maps of several types");
  const DType type = request.inputs[0].type.dtype;
  const Rows x = rows_of(request.inputs[0]), y = rows_of(request.outputs[0]);
  const int64_t residual_stride = op.residual ? request.inputs[5].row_stride : 0;
  const Layout layout{x.count, x.channels};
  return accept(layout.workspace_bytes(4), [=](const Bound& bound) {
    float *const shift = layout.vector(bound, 0), *const mean = layout.vector(bound, 1), *const scale = layout.vector(bound, 2),
                 *const offset = layout.vector(bound, 3);
    sample_means(bound.source(0, type), x.count, x.stride, x.channels, shift);
    layout.reduce(bound, [&](int64_t row, int64_t rows, const simd::ColumnSums& sums) {
      simd::column_moments(bound.source(0, type) + row * x.stride, rows, x.stride, x.channels, shift, sums);
    });
    const auto count = static_cast<double>(layout.rows), unbias = layout.rows > 1 ? count / (count - 1) : 1.0;
    for (int64_t c = 0; c < layout.channels; ++c) {
      const Layout::Total total = layout.total(bound, c);
      const double moved = total.first / count, exact_mean = shift[c] + moved;
      const double variance = std::max(0.0, total.second / count - moved * moved), inv_std = 1 / std::sqrt(variance + op.eps);
      const double exact_scale = bound.in(1)[c] * inv_std;
      mean[c] = static_cast<float>(exact_mean);
      scale[c] = static_cast<float>(exact_scale);
      offset[c] = static_cast<float>(bound.in(2)[c] - (exact_mean - mean[c]) * exact_scale);  // what rounding the mean lost
      if (bound.outputs[1]) bound.out(1)[c] = mean[c];
      if (bound.outputs[2]) bound.out(2)[c] = static_cast<float>(inv_std);
      if (bound.outputs[3]) bound.out(3)[c] = static_cast<float>((1 - op.momentum) * bound.in(3)[c] + op.momentum * exact_mean);
      if (bound.outputs[4]) bound.out(4)[c] = static_cast<float>((1 - op.momentum) * bound.in(4)[c] + op.momentum * variance * unbias);
      if (!op.with_affine || !bound.outputs[5]) continue;
      bound.out(5)[c] = scale[c];
      bound.out(5)[layout.channels + c] = offset[c];
    }
    if (!bound.outputs[0]) return;
    const simd::Normalize pass{
        op.activation,         mean,     scale,           offset,  bound.source(0, type), op.residual ? bound.source(5, type) : Source(),
        bound.target(0, type), x.stride, residual_stride, y.stride};
    layout.apply([&](int64_t row, int64_t rows) { simd::normalize(pass, row, rows, x.channels); });
  });
}

Planned plan_batch_norm_apply(const Request& request) {
  const BatchNormApply op = *request.op.as<BatchNormApply>();
  if (!has_pixels(request.inputs[0])) return refuse("{} has nothing to normalize", to_string(request.inputs[0].type));
  if (!is_dense(request.inputs[2])) return refuse("vectors that are not dense");
  if (!of_one_type({&request.inputs[0], &request.outputs[0], &request.inputs[op.residual ? 3 : 0]})) return refuse("maps of several types");
  const DType type = request.inputs[0].type.dtype;
  const Rows x = rows_of(request.inputs[0]), y = rows_of(request.outputs[0]);
  const int64_t residual_stride = op.residual ? request.inputs[3].row_stride : 0;
  const Layout layout{x.count, x.channels};
  return accept([=](const Bound& bound) {
    const simd::Normalize pass{op.activation,         bound.in(1),
                               bound.in(2),           bound.in(2) + x.channels,
                               bound.source(0, type), op.residual ? bound.source(3, type) : Source(),
                               bound.target(0, type), x.stride,
                               residual_stride,       y.stride};
    layout.apply([&](int64_t row, int64_t rows) { simd::normalize(pass, row, rows, x.channels); });
  });
}

Planned plan_batch_norm_training_grad(const Request& request) {
  const BatchNormTrainingGrad op = *request.op.as<BatchNormTrainingGrad>();
  if (!has_pixels(request.inputs[0])) return refuse("{} has nothing to normalize", to_string(request.inputs[0].type));
  if (!of_one_type({&request.inputs[0], &request.inputs[1], &request.outputs[0], op.residual ? &request.inputs.back() : &request.inputs[0],
                    op.residual ? &request.outputs[3] : &request.outputs[0]}))
    return refuse("maps of several types");
  const DType type = request.inputs[0].type.dtype;
  const Rows dy = rows_of(request.inputs[0]), x = rows_of(request.inputs[1]), dx = rows_of(request.outputs[0]);
  const size_t beta_at = 5, y_at = op.with_beta ? 6 : 5;
  const int64_t y_stride = op.residual ? request.inputs[y_at].row_stride : 0, dz_stride = op.residual ? request.outputs[3].row_stride : 0;
  const Layout layout{x.count, x.channels};
  return accept(layout.workspace_bytes(4), [=](const Bound& bound) {
    float *const scale = layout.vector(bound, 0), *const a = layout.vector(bound, 1), *const b = layout.vector(bound, 2),
                 *const c = layout.vector(bound, 3);
    for (int64_t i = 0; i < layout.channels; ++i) scale[i] = bound.in(2)[i] * bound.in(4)[i];
    simd::NormalizeGrad pass;
    pass.activation = op.activation;
    pass.mean = bound.in(3), pass.scale = scale, pass.beta = op.with_beta ? bound.in(beta_at) : nullptr;
    pass.dy = bound.source(0, type), pass.dy_stride = dy.stride;
    pass.x = bound.source(1, type), pass.x_stride = x.stride;
    pass.y = op.residual ? bound.source(y_at, type) : Source(), pass.y_stride = y_stride;
    pass.dz = op.residual ? bound.target(3, type) : Target(), pass.dz_stride = dz_stride;
    layout.reduce(bound, [&](int64_t row, int64_t rows, const simd::ColumnSums& sums) {
      simd::normalize_grad_sums(pass, row, rows, x.channels, sums);
    });
    const auto count = static_cast<double>(layout.rows);
    for (int64_t i = 0; i < layout.channels; ++i) {
      const Layout::Total total = layout.total(bound, i);
      const double inv_std = bound.in(4)[i], factor = bound.in(2)[i] * inv_std;
      if (bound.outputs[1]) bound.out(1)[i] = static_cast<float>(total.second * inv_std);
      if (bound.outputs[2]) bound.out(2)[i] = static_cast<float>(total.first);
      a[i] = static_cast<float>(factor);
      b[i] = static_cast<float>(factor * inv_std * inv_std * total.second / count);
      c[i] = static_cast<float>(factor * total.first / count);
    }
    if (!bound.outputs[0]) return;
    if (pass.dz) {  // it is there already; dx may be where dy was
      pass.activation = ActivationKind::identity;
      pass.dy = pass.dz, pass.dy_stride = dz_stride;
    }
    pass.a = a, pass.b = b, pass.c = c;
    pass.dx = bound.target(0, type), pass.dx_stride = dx.stride;
    layout.apply([&](int64_t row, int64_t rows) { simd::normalize_grad_apply(pass, row, rows, x.channels); });
  });
}

Planned plan_batch_norm_inference(const Request& request) {
  const double eps = request.op.as<BatchNormInference>()->eps;
  if (!has_pixels(request.inputs[0])) return refuse("{} has nothing to normalize", to_string(request.inputs[0].type));
  if (!of_one_type({&request.inputs[0], &request.outputs[0]})) return refuse("maps of several types");
  const DType type = request.inputs[0].type.dtype;
  const Rows x = rows_of(request.inputs[0]), y = rows_of(request.outputs[0]);
  const Layout layout{x.count, x.channels, 0};
  return accept(layout.workspace_bytes(1), [=](const Bound& bound) {
    float* const scale = layout.vector(bound, 0);
    for (int64_t c = 0; c < layout.channels; ++c) scale[c] = static_cast<float>(bound.in(1)[c] / std::sqrt(bound.in(4)[c] + eps));
    const simd::Normalize pass{ActivationKind::identity, bound.in(3), scale, bound.in(2), bound.source(0, type), {},
                               bound.target(0, type),    x.stride,    0,     y.stride};
    layout.apply([&](int64_t row, int64_t rows) { simd::normalize(pass, row, rows, x.channels); });
  });
}

Planned plan_batch_norm_inference_grad(const Request& request) {
  const double eps = request.op.as<BatchNormInferenceGrad>()->eps;
  if (!has_pixels(request.inputs[0])) return refuse("{} has nothing to normalize", to_string(request.inputs[0].type));
  if (!of_one_type({&request.inputs[0], &request.inputs[1], &request.outputs[0]})) return refuse("maps of several types");
  const DType type = request.inputs[0].type.dtype;
  const Rows dy = rows_of(request.inputs[0]), x = rows_of(request.inputs[1]), dx = rows_of(request.outputs[0]);
  const Layout layout{x.count, x.channels};
  return accept(layout.workspace_bytes(2), [=](const Bound& bound) {
    float *const a = layout.vector(bound, 0), *const zero = layout.vector(bound, 1);
    std::fill_n(zero, layout.channels, 0.0f);
    simd::NormalizeGrad pass;
    pass.mean = bound.in(3), pass.scale = a;
    pass.dy = bound.source(0, type), pass.dy_stride = dy.stride;
    pass.x = bound.source(1, type), pass.x_stride = x.stride;
    if (bound.outputs[1] || bound.outputs[2])
      layout.reduce(bound, [&](int64_t row, int64_t rows, const simd::ColumnSums& sums) {
        simd::normalize_grad_sums(pass, row, rows, x.channels, sums);
      });
    for (int64_t i = 0; i < layout.channels; ++i) {
      const double inv_std = 1 / std::sqrt(bound.in(4)[i] + eps);
      a[i] = static_cast<float>(bound.in(2)[i] * inv_std);
      if (bound.outputs[1]) bound.out(1)[i] = static_cast<float>(layout.total(bound, i).second * inv_std);
      if (bound.outputs[2]) bound.out(2)[i] = static_cast<float>(layout.total(bound, i).first);
    }
    if (!bound.outputs[0]) return;
    pass.a = a, pass.b = zero, pass.c = zero;
    pass.dx = bound.target(0, type), pass.dx_stride = dx.stride;
    layout.apply([&](int64_t row, int64_t rows) { simd::normalize_grad_apply(pass, row, rows, x.channels); });
  });
}

Planned plan_batch_norm_affine(const Request& request) {
  const double eps = request.op.as<BatchNormAffine>()->eps;
  if (!is_dense(request.outputs[0])) return refuse("vectors that are not dense");
  const int64_t channels = request.inputs[0].type.shape.channels();
  return accept([=](const Bound& bound) {
    for (int64_t c = 0; c < channels; ++c) {
      bound.out(0)[c] = static_cast<float>(bound.in(0)[c] / std::sqrt(bound.in(2)[c] + eps));
      bound.out(0)[channels + c] = bound.in(1)[c];
    }
  });
}

Planned plan_fold_batch_norm(const Request& request) {
  const double eps = request.op.as<FoldBatchNorm>()->eps;
  if (!is_dense(request.inputs[0]) || !is_dense(request.outputs[0])) return refuse("weights that are not dense");
  const bool with_bias = request.inputs.size() > 5;
  const int64_t outputs = request.inputs[0].type.shape[0], each = request.inputs[0].type.elements() / std::max<int64_t>(1, outputs);
  return accept([=](const Bound& bound) {
    parallel_kernel(outputs, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, each)), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        const double scale = bound.in(1)[o] / std::sqrt(bound.in(4)[o] + eps), bias = with_bias ? bound.in(5)[o] : 0.0;
        if (bound.outputs[1]) bound.out(1)[o] = static_cast<float>((bias - bound.in(3)[o]) * scale + bound.in(2)[o]);
        if (!bound.outputs[0]) continue;
        for (int64_t i = o * each; i < (o + 1) * each; ++i) bound.out(0)[i] = static_cast<float>(bound.in(0)[i] * scale);
      }
    });
  });
}

}  // namespace fovea::cpu
