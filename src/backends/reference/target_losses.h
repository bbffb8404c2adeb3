// SoftCrossEntropy, BinaryCrossEntropy and their gradients.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/reference/arguments.h"
#include "ops/target_losses.h"

namespace fovea::reference {

// Operands of these losses from input `first` on.
template <class T>
struct LossOperands {
  LossOperands(const Arguments& a, size_t first)
      : logits(a.input<T>(first)), targets(a.input<T>(first + 1)), classes(logits.channels()), weights(static_cast<size_t>(classes), 1.0) {
    if (a.inputs.size() <= first + 2) return;
    const auto given = a.input<T>(first + 2);
    for (int64_t k = 0; k < classes; ++k) weights[static_cast<size_t>(k)] = given.at(0, k, 0, 0);
  }
  double weight(int64_t k) const { return weights[static_cast<size_t>(k)]; }

  View<const T> logits, targets;
  int64_t classes;
  std::vector<double> weights;
};

template <class T>
double log_sum_of(const LossOperands<T>& x, int64_t n) {
  double largest = x.logits.at(n, 0, 0, 0), sum = 0;
  for (int64_t k = 0; k < x.classes; ++k) largest = std::max(largest, double{x.logits.at(n, k, 0, 0)});
  for (int64_t k = 0; k < x.classes; ++k) sum += std::exp(x.logits.at(n, k, 0, 0) - largest);
  return largest + std::log(sum);
}

template <class T, class Loss>
double divisor_of(const Loss& op, const LossOperands<T>& x) {
  if (!op.weighted_mean) return static_cast<double>(x.logits.batch());
  double sum = 0;
  for (int64_t n = 0; n < x.logits.batch(); ++n)
    for (int64_t k = 0; k < x.classes; ++k) sum += x.weight(k) * x.targets.at(n, k, 0, 0);
  return sum;
}

template <class T>
void run(const SoftCrossEntropy& op, const Arguments& a) {
  const LossOperands<T> x(a, 0);
  double total = 0;
  for (int64_t n = 0; n < x.logits.batch(); ++n) {
    const double log_sum = log_sum_of(x, n);
    for (int64_t k = 0; k < x.classes; ++k) {
      const double target = (1 - op.smoothing) * x.targets.at(n, k, 0, 0) + op.smoothing / static_cast<double>(x.classes);
      const double log_p = x.logits.at(n, k, 0, 0) - log_sum;
      total -= x.weight(k) * target * std::pow(-std::expm1(log_p), op.gamma) * log_p;
    }
  }
  a.output<T>(0).scalar() = static_cast<T>(total / divisor_of(op, x));
}

template <class T>
void run(const SoftCrossEntropyGrad& op, const Arguments& a) {
  const LossOperands<T> x(a, 1);
  const auto dlogits = a.output<T>(0);
  const double scale = a.input<T>(0).scalar() / divisor_of(op, x);
  std::vector<double> slopes(static_cast<size_t>(x.classes));  // of the loss by log p
  for (int64_t n = 0; n < x.logits.batch(); ++n) {
    const double log_sum = log_sum_of(x, n);
    double sum = 0;
    for (int64_t k = 0; k < x.classes; ++k) {
      const double target = (1 - op.smoothing) * x.targets.at(n, k, 0, 0) + op.smoothing / static_cast<double>(x.classes);
      const double log_p = x.logits.at(n, k, 0, 0) - log_sum, p = std::exp(log_p), other = -std::expm1(log_p);
      const double ratio = other > 0 ? log_p / other : -1;  // its limit at p = 1
      double& slope = slopes[static_cast<size_t>(k)];
      slope = x.weight(k) * target * std::pow(other, op.gamma) * (op.gamma * p * ratio - 1);
      sum += slope;
    }
    for (int64_t k = 0; k < x.classes; ++k) {
      const double p = std::exp(x.logits.at(n, k, 0, 0) - log_sum);
      dlogits.at(n, k, 0, 0) = static_cast<T>(scale * (slopes[static_cast<size_t>(k)] - p * sum));
    }
  }
}

// Of one class of one picture: its share of the loss, without its weight, and the slope by the logit.
struct BinaryTerm {
  double loss, slope;
};
inline BinaryTerm binary_term(double logit, double target, double gamma) {
  const double small = std::exp(-std::abs(logit)), softplus = std::max(logit, 0.0) + std::log1p(small);  // log(1 + e^z)
  const double p = logit >= 0 ? 1 / (1 + small) : small / (1 + small), not_p = logit >= 0 ? small / (1 + small) : 1 / (1 + small);
  const double entropy = target * (softplus - logit) + (1 - target) * softplus;
  const double wrong = p * (1 - target) + not_p * target, power = std::pow(wrong, gamma);
  double slope = power * (p - target);
  if (gamma > 0 && wrong > 0) slope += gamma * power / wrong * entropy * (1 - 2 * target) * p * not_p;
  return {power * entropy, slope};
}

template <class T>
void run(const BinaryCrossEntropy& op, const Arguments& a) {
  const LossOperands<T> x(a, 0);
  double total = 0;
  for (int64_t n = 0; n < x.logits.batch(); ++n)
    for (int64_t k = 0; k < x.classes; ++k) {
      const double target = (1 - op.smoothing) * x.targets.at(n, k, 0, 0) + op.smoothing / 2;
      total += x.weight(k) * binary_term(x.logits.at(n, k, 0, 0), target, op.gamma).loss;
    }
  a.output<T>(0).scalar() = static_cast<T>(total / static_cast<double>(x.logits.batch() * x.classes));
}

template <class T>
void run(const BinaryCrossEntropyGrad& op, const Arguments& a) {
  const LossOperands<T> x(a, 1);
  const auto dlogits = a.output<T>(0);
  const double scale = a.input<T>(0).scalar() / static_cast<double>(x.logits.batch() * x.classes);
  for (int64_t n = 0; n < x.logits.batch(); ++n)
    for (int64_t k = 0; k < x.classes; ++k) {
      const double target = (1 - op.smoothing) * x.targets.at(n, k, 0, 0) + op.smoothing / 2;
      dlogits.at(n, k, 0, 0) = static_cast<T>(scale * x.weight(k) * binary_term(x.logits.at(n, k, 0, 0), target, op.gamma).slope);
    }
}

}  // namespace fovea::reference
