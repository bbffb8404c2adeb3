// Layer and root mean square normalization, weight standardization: statistics of rows. Sums by channel are cut into as many parts as there
// were threads at planning: float inside blocks of rows, double between them.
#include "backends/cpu/row_norm.h"

#include <algorithm>

#include "backends/cpu/candidates.h"
#include "ops/layer_norm.h"
#include "ops/rms_norm.h"
#include "ops/standardize_weight.h"

namespace fovea::cpu {
namespace {

int64_t grain_of(int64_t channels) { return std::max<int64_t>(1, kGrain / channels); }

// The place of each part's sums by channel in the workspace.
struct Parts {
  int64_t channels, count = threads();

  size_t doubles() const { return align64(2 * static_cast<size_t>(channels) * sizeof(double)); }
  size_t bytes_each() const { return doubles() + align64(2 * static_cast<size_t>(channels) * sizeof(float)); }
  size_t workspace_bytes() const { return bytes_each() * static_cast<size_t>(count); }
  simd::ColumnSums sums(const Bound& bound, int64_t part) const {
    const size_t at = static_cast<size_t>(part) * bytes_each();
    return {bound.scratch<double>(at), bound.scratch<double>(at) + channels, bound.scratch<float>(at + doubles())};
  }
};

// The gradient of every row by `pass`, and the sums by channel of dy and of dy n where they are asked for.
template <class Pass>
void grad_of_rows(const Bound& bound, const Parts& parts, int64_t rows, const Pass& pass, float* sum, float* product) {
  const bool with_sums = sum || product;
  parallel_kernel(parts.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const simd::ColumnSums sums = with_sums ? parts.sums(bound, part) : simd::ColumnSums{};
      if (with_sums) std::fill_n(sums.first, 2 * parts.channels, 0.0);
      const int64_t row = rows * part / parts.count;
      simd::row_norm_grad(pass, row, rows * (part + 1) / parts.count - row, parts.channels, sums);
    }
  });
  for (int64_t c = 0; with_sums && c < parts.channels; ++c) {
    double first = 0, second = 0;
    for (int64_t part = 0; part < parts.count; ++part) {
      first += parts.sums(bound, part).first[c];
      second += parts.sums(bound, part).second[c];
    }
    if (product) product[c] = static_cast<float>(second);
    if (sum) sum[c] = static_cast<float>(first);
  }
}

}  // namespace

Planned plan_layer_norm(const Request& request) {
  if (!has_pixels(request.inputs[0])) return refuse("{} has nothing to normalize", to_string(request.inputs[0].type));
  if (!of_one_type({&request.inputs[0], &request.outputs[0]})) return refuse("maps of several types");
  const DType type = request.inputs[0].type.dtype;
  const double eps = request.op.as<LayerNorm>()->eps;
  const Rows x = rows_of(request.inputs[0]), y = rows_of(request.outputs[0]);
  const int64_t mean_stride = request.outputs[1].row_stride, inv_std_stride = request.outputs[2].row_stride;
  return accept([=](const Bound& bound) {
    const simd::RowNorm pass{eps,           bound.source(0, type), bound.in(1), bound.in(2), bound.target(0, type),
                             bound.out(1),  bound.out(2),          x.stride,    y.stride,    mean_stride,
                             inv_std_stride};
    parallel_kernel(x.count, grain_of(x.channels),
                    [&](int64_t begin, int64_t end) { simd::row_norm(pass, begin, end - begin, x.channels); });
  });
}

Planned plan_layer_norm_grad(const Request& request) {
  if (!has_pixels(request.inputs[1])) return refuse("{} has nothing to normalize", to_string(request.inputs[1].type));
  if (!of_one_type({&request.inputs[0], &request.inputs[1], &request.outputs[0]})) return refuse("maps of several types");
  if (request.inputs[3].type.dtype != DType::f32 || request.inputs[4].type.dtype != DType::f32) return refuse("statistics in bf16");
  const DType type = request.inputs[0].type.dtype;
  const Rows dy = rows_of(request.inputs[0]), x = rows_of(request.inputs[1]), dx = rows_of(request.outputs[0]);
  const int64_t mean_stride = request.inputs[3].row_stride, inv_std_stride = request.inputs[4].row_stride;
  const Parts parts{x.channels};
  return accept(parts.workspace_bytes(), [=](const Bound& bound) {
    const simd::RowNormGrad pass{bound.source(0, type), bound.source(1, type), bound.in(2), bound.in(3),
                                 bound.in(4),           bound.target(0, type), dy.stride,   x.stride,
                                 mean_stride,           inv_std_stride,        dx.stride};
    grad_of_rows(bound, parts, x.count, pass, bound.out(2), bound.out(1));
  });
}

Planned plan_rms_norm(const Request& request) {
  if (!has_pixels(request.inputs[0])) return refuse("{} has nothing to normalize", to_string(request.inputs[0].type));
  if (!of_one_type({&request.inputs[0], &request.outputs[0]})) return refuse("maps of several types");
  const DType type = request.inputs[0].type.dtype;
  const double eps = request.op.as<RmsNorm>()->eps;
  const Rows x = rows_of(request.inputs[0]), y = rows_of(request.outputs[0]);
  const int64_t inv_rms_stride = request.outputs[1].row_stride;
  return accept([=](const Bound& bound) {
    const simd::RowNorm pass{
        eps, bound.source(0, type), bound.in(1), nullptr, bound.target(0, type), nullptr, bound.out(1), x.stride, y.stride,
        1,   inv_rms_stride,        false};
    parallel_kernel(x.count, grain_of(x.channels),
                    [&](int64_t begin, int64_t end) { simd::row_norm(pass, begin, end - begin, x.channels); });
  });
}

Planned plan_rms_norm_grad(const Request& request) {
  if (!has_pixels(request.inputs[1])) return refuse("{} has nothing to normalize", to_string(request.inputs[1].type));
  if (!of_one_type({&request.inputs[0], &request.inputs[1], &request.outputs[0]})) return refuse("maps of several types");
  if (request.inputs[3].type.dtype != DType::f32) return refuse("statistics in bf16");
  const DType type = request.inputs[0].type.dtype;
  const Rows dy = rows_of(request.inputs[0]), x = rows_of(request.inputs[1]), dx = rows_of(request.outputs[0]);
  const int64_t inv_rms_stride = request.inputs[3].row_stride;
  const Parts parts{x.channels};
  return accept(parts.workspace_bytes(), [=](const Bound& bound) {
    const simd::RowNormGrad pass{bound.source(0, type),
                                 bound.source(1, type),
                                 bound.in(2),
                                 nullptr,
                                 bound.in(3),
                                 bound.target(0, type),
                                 dy.stride,
                                 x.stride,
                                 1,
                                 inv_rms_stride,
                                 dx.stride};
    grad_of_rows(bound, parts, x.count, pass, nullptr, bound.out(1));
  });
}

Planned plan_standardize_weight(const Request& request) {
  if (!has_pixels(request.inputs[0])) return refuse("{} has nothing to normalize", to_string(request.inputs[0].type));
  if (!is_dense(request.inputs[0]) || !is_dense(request.outputs[0])) return refuse("weights that are not dense");
  const double eps = request.op.as<StandardizeWeight>()->eps;
  const int64_t outputs = request.inputs[0].type.shape[0], each = request.inputs[0].type.elements() / outputs;
  return accept([=](const Bound& bound) {
    const simd::RowNorm pass{eps, bound.in(0), nullptr, nullptr, bound.out(0), nullptr, nullptr, each, each};
    parallel_kernel(outputs, grain_of(each), [&](int64_t begin, int64_t end) { simd::row_norm(pass, begin, end - begin, each); });
  });
}

Planned plan_standardize_weight_grad(const Request& request) {
  if (!has_pixels(request.inputs[1])) return refuse("{} has nothing to normalize", to_string(request.inputs[1].type));
  for (const Operand& operand : {request.inputs[0], request.inputs[1], request.outputs[0]})
    if (!is_dense(operand)) return refuse("weights that are not dense");
  const double eps = request.op.as<StandardizeWeightGrad>()->eps;
  const int64_t outputs = request.inputs[1].type.shape[0], each = request.inputs[1].type.elements() / outputs;
  return accept(2 * static_cast<size_t>(outputs) * sizeof(float), [=](const Bound& bound) {
    float *const mean = bound.scratch<float>(), *const inv_std = mean + outputs;
    const simd::RowNorm statistics{eps, bound.in(1), nullptr, nullptr, {}, mean, inv_std, each};
    const simd::RowNormGrad pass{bound.in(0), bound.in(1), nullptr, mean, inv_std, bound.out(0), each, each, 1, 1, each};
    parallel_kernel(outputs, grain_of(each), [&](int64_t begin, int64_t end) {
      simd::row_norm(statistics, begin, end - begin, each);
      simd::row_norm_grad(pass, begin, end - begin, each, {});
    });
  });
}

}  // namespace fovea::cpu
