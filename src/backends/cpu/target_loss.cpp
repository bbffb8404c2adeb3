// Losses of targets by class, in double: the numbers are few.
#include <cmath>
#include <limits>

#include "backends/cpu/candidates.h"
#include "ops/target_losses.h"

namespace fovea::cpu {
namespace {

// Logits, targets and perhaps class weights, from input `first` on.
struct Problem {
  Problem(const Request& request, size_t from)
      : first(from),
        count(request.inputs[from].type.shape.batch()),
        classes(request.inputs[from].type.shape.channels()),
        logits_stride(request.inputs[from].row_stride),
        targets_stride(request.inputs[from + 1].row_stride),
        weighted(request.inputs.size() > from + 2) {}

  const float* logits(const Bound& bound, int64_t n) const { return bound.in(first) + n * logits_stride; }
  const float* targets(const Bound& bound, int64_t n) const { return bound.in(first + 1) + n * targets_stride; }
  double weight(const Bound& bound, int64_t k) const { return weighted ? bound.in(first + 2)[k] : 1.0; }
  int64_t grain() const { return std::max<int64_t>(1, 256 / classes); }

  double log_sum(const float* x) const {
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t k = 0; k < classes; ++k) largest = std::max(largest, double{x[k]});
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(x[k] - largest);
    return largest + std::log(sum);
  }
  double weight_of_targets(const Bound& bound) const {
    double sum = 0;
    for (int64_t n = 0; n < count; ++n)
      for (int64_t k = 0; k < classes; ++k) sum += weight(bound, k) * targets(bound, n)[k];
    return sum;
  }

  size_t first;
  int64_t count, classes, logits_stride, targets_stride;
  bool weighted;
};

// (1 - p)^gamma, exactly 1 for gamma 0.
double power_of(double base, double gamma) { return gamma == 0 ? 1.0 : std::pow(base, gamma); }

// Of one class of one picture, without its weight.
struct BinaryTerm {
  double loss, slope;
};
BinaryTerm binary_term(double logit, double target, double gamma) {
  const double small = std::exp(-std::abs(logit)), likely = 1 / (1 + small), unlikely = small / (1 + small);
  const double softplus = std::max(logit, 0.0) + std::log1p(small);
  const double p = logit >= 0 ? likely : unlikely, not_p = logit >= 0 ? unlikely : likely;
  const double entropy = softplus - target * logit;
  if (gamma == 0) return {entropy, p - target};
  const double wrong = p * (1 - target) + not_p * target, power = std::pow(wrong, gamma);
  double slope = power * (p - target);
  if (wrong > 0) slope += gamma * power / wrong * entropy * (1 - 2 * target) * p * not_p;
  return {power * entropy, slope};
}

// body(n) gives a row's part of the sum; the parts are added in order.
template <class Body>
double sum_over_rows(const Problem& problem, const Bound& bound, const Body& body) {
  auto* const parts = bound.scratch<double>();
  parallel_kernel(problem.count, problem.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) parts[n] = body(n);
  });
  double sum = 0;
  for (int64_t n = 0; n < problem.count; ++n) sum += parts[n];
  return sum;
}

}  // namespace

Planned plan_soft_cross_entropy(const Request& request) {
  const SoftCrossEntropy op = *request.op.as<SoftCrossEntropy>();
  const Problem problem(request, 0);
  return accept(static_cast<size_t>(problem.count) * sizeof(double), [=](const Bound& bound) {
    const double sum = sum_over_rows(problem, bound, [&](int64_t n) {
      const float *const x = problem.logits(bound, n), *const t = problem.targets(bound, n);
      const double log_sum = problem.log_sum(x), even = op.smoothing / static_cast<double>(problem.classes);
      double loss = 0;
      for (int64_t k = 0; k < problem.classes; ++k) {
        const double log_p = x[k] - log_sum, target = (1 - op.smoothing) * t[k] + even;
        loss -= problem.weight(bound, k) * target * power_of(-std::expm1(log_p), op.gamma) * log_p;
      }
      return loss;
    });
    *bound.out(0) = static_cast<float>(sum / (op.weighted_mean ? problem.weight_of_targets(bound) : static_cast<double>(problem.count)));
  });
}

Planned plan_soft_cross_entropy_grad(const Request& request) {
  const SoftCrossEntropyGrad op = *request.op.as<SoftCrossEntropyGrad>();
  const Problem problem(request, 1);
  const int64_t dx_stride = request.outputs[0].row_stride;
  // Slopes by log p, a row of them for each picture.
  const size_t workspace = static_cast<size_t>(problem.count * problem.classes) * sizeof(double);
  return accept(workspace, [=](const Bound& bound) {
    const double divisor = op.weighted_mean ? problem.weight_of_targets(bound) : static_cast<double>(problem.count);
    const double scale = double{*bound.in(0)} / divisor, even = op.smoothing / static_cast<double>(problem.classes);
    parallel_kernel(problem.count, problem.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const float *const x = problem.logits(bound, n), *const t = problem.targets(bound, n);
        auto* const slopes = bound.scratch<double>() + n * problem.classes;
        const double log_sum = problem.log_sum(x);
        double sum = 0;
        for (int64_t k = 0; k < problem.classes; ++k) {
          const double log_p = x[k] - log_sum, other = -std::expm1(log_p), target = (1 - op.smoothing) * t[k] + even;
          slopes[k] = -problem.weight(bound, k) * target;
          if (op.gamma > 0) {
            const double ratio = other > 0 ? log_p / other : -1;  // its limit at p = 1
            slopes[k] *= std::pow(other, op.gamma) * (1 - op.gamma * std::exp(log_p) * ratio);
          }
          sum += slopes[k];
        }
        for (int64_t k = 0; k < problem.classes; ++k)
          bound.out(0)[n * dx_stride + k] = static_cast<float>(scale * (slopes[k] - std::exp(x[k] - log_sum) * sum));
      }
    });
  });
}

Planned plan_binary_cross_entropy(const Request& request) {
  const BinaryCrossEntropy op = *request.op.as<BinaryCrossEntropy>();
  const Problem problem(request, 0);
  return accept(static_cast<size_t>(problem.count) * sizeof(double), [=](const Bound& bound) {
    const double sum = sum_over_rows(problem, bound, [&](int64_t n) {
      const float *const x = problem.logits(bound, n), *const t = problem.targets(bound, n);
      double loss = 0;
      for (int64_t k = 0; k < problem.classes; ++k)
        loss += problem.weight(bound, k) * binary_term(x[k], (1 - op.smoothing) * t[k] + op.smoothing / 2, op.gamma).loss;
      return loss;
    });
    *bound.out(0) = static_cast<float>(sum / static_cast<double>(problem.count * problem.classes));
  });
}

Planned plan_binary_cross_entropy_grad(const Request& request) {
  const BinaryCrossEntropyGrad op = *request.op.as<BinaryCrossEntropyGrad>();
  const Problem problem(request, 1);
  const int64_t dx_stride = request.outputs[0].row_stride;
  return accept([=](const Bound& bound) {
    const double scale = double{*bound.in(0)} / static_cast<double>(problem.count * problem.classes);
    parallel_kernel(problem.count, problem.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const float *const x = problem.logits(bound, n), *const t = problem.targets(bound, n);
        for (int64_t k = 0; k < problem.classes; ++k) {
          const double slope = binary_term(x[k], (1 - op.smoothing) * t[k] + op.smoothing / 2, op.gamma).slope;
          bound.out(0)[n * dx_stride + k] = static_cast<float>(scale * problem.weight(bound, k) * slope);
        }
      }
    });
  });
}

}  // namespace fovea::cpu
