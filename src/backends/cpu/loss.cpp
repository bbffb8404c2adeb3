// Cross entropy, in double: the numbers are few.
#include <cmath>
#include <limits>

#include "backends/cpu/candidates.h"
#include "ops/cross_entropy.h"

namespace fovea::cpu {

Planned plan_cross_entropy(const Request& request) {
  const double smoothing = request.op.as<CrossEntropy>()->smoothing;
  const Operand &logits = request.inputs[0], &probabilities = request.outputs[1];
  if (request.inputs[1].type.dtype != DType::i32) return refuse("labels of type {}", to_string(request.inputs[1].type.dtype));
  const int64_t count = logits.type.shape.batch(), classes = logits.type.shape.channels();
  const int64_t x_stride = logits.row_stride, p_stride = probabilities.row_stride;
  return accept(static_cast<size_t>(count) * sizeof(double), [=](const Bound& bound) {
    auto* const losses = bound.scratch<double>();
    parallel_kernel(count, std::max<int64_t>(1, 256 / classes), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const float* const x = bound.in(0) + n * x_stride;
        double largest = -std::numeric_limits<double>::infinity(), sum = 0, total = 0;
        for (int64_t k = 0; k < classes; ++k) largest = std::max(largest, double{x[k]});
        for (int64_t k = 0; k < classes; ++k) {
          sum += std::exp(x[k] - largest);
          total += x[k];
        }
        const double log_sum = largest + std::log(sum);
        const int32_t label = bound.in<int32_t>(1)[n];
        const bool known = label >= 0 && label < classes;
        const double chosen = known ? x[label] : std::numeric_limits<double>::quiet_NaN();
        losses[n] = (1 - smoothing) * (log_sum - chosen);
        if (smoothing != 0) losses[n] += smoothing * (log_sum - total / static_cast<double>(classes));
        if (!bound.outputs[1]) continue;
        for (int64_t k = 0; k < classes; ++k) bound.out(1)[n * p_stride + k] = static_cast<float>(std::exp(x[k] - log_sum));
      }
    });
    if (!bound.outputs[0]) return;
    double loss = 0;
    for (int64_t n = 0; n < count; ++n) loss += losses[n];
    *bound.out(0) = static_cast<float>(loss / static_cast<double>(count));
  });
}

Planned plan_cross_entropy_grad(const Request& request) {
  const double smoothing = request.op.as<CrossEntropyGrad>()->smoothing;
  const Operand &probabilities = request.inputs[1], &dlogits = request.outputs[0];
  if (request.inputs[2].type.dtype != DType::i32) return refuse("labels of type {}", to_string(request.inputs[2].type.dtype));
  const int64_t count = probabilities.type.shape.batch(), classes = probabilities.type.shape.channels();
  const int64_t p_stride = probabilities.row_stride, dx_stride = dlogits.row_stride;
  return accept([=](const Bound& bound) {
    const double factor = double{*bound.in(0)} / static_cast<double>(count), even = smoothing / static_cast<double>(classes);
    parallel_kernel(count, std::max<int64_t>(1, 4096 / classes), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const int32_t label = bound.in<int32_t>(2)[n];
        for (int64_t k = 0; k < classes; ++k) {
          const double target = even + (k == label ? 1 - smoothing : 0);
          bound.out(0)[n * dx_stride + k] = static_cast<float>(factor * (bound.in(1)[n * p_stride + k] - target));
        }
      }
    });
  });
}

}  // namespace fovea::cpu
