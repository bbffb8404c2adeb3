#pragma once

#include <cmath>

#include "backends/reference/arguments.h"
#include "base/error.h"
#include "ops/cross_entropy.h"

namespace fovea::reference {

inline int64_t checked_label(const View<const int32_t>& labels, int64_t n, int64_t classes) {
  const int64_t label = labels[n];
  if (label < 0 || label >= classes) fail(ErrorKind::usage, "cross_entropy: label {} at row {}, {} classes", label, n, classes);
  return label;
}

template <class T>
void run(const CrossEntropy& op, const Arguments& a) {
  const auto logits = a.input<T>(0);
  const auto labels = a.input<int32_t>(1);
  const auto loss = a.output<T>(0), probabilities = a.output<T>(1);
  const int64_t classes = logits.channels();
  double total = 0;
  for (int64_t n = 0; n < logits.batch(); ++n) {
    const T* row = logits.pixel(n, 0, 0);
    double largest = row[0], exponentials = 0, sum = 0;
    for (int64_t k = 0; k < classes; ++k) largest = std::max(largest, double{row[k]});
    for (int64_t k = 0; k < classes; ++k) exponentials += std::exp(row[k] - largest);
    const double log_sum = largest + std::log(exponentials);
    for (int64_t k = 0; k < classes; ++k) sum += log_sum - row[k];
    total += (1 - op.smoothing) * (log_sum - row[checked_label(labels, n, classes)]) + op.smoothing / static_cast<double>(classes) * sum;
    if (probabilities.valid())
      for (int64_t k = 0; k < classes; ++k) probabilities.at(n, k, 0, 0) = static_cast<T>(std::exp(row[k] - log_sum));
  }
  if (loss.valid()) loss.scalar() = static_cast<T>(total / static_cast<double>(logits.batch()));
}

template <class T>
void run(const CrossEntropyGrad& op, const Arguments& a) {
  const auto probabilities = a.input<T>(1);
  const auto labels = a.input<int32_t>(2);
  const auto dlogits = a.output<T>(0);
  const int64_t classes = probabilities.channels();
  const double scale = a.input<T>(0).scalar() / static_cast<double>(probabilities.batch());
  for (int64_t n = 0; n < probabilities.batch(); ++n) {
    const int64_t label = checked_label(labels, n, classes);
    for (int64_t k = 0; k < classes; ++k) {
      const double target = op.smoothing / static_cast<double>(classes) + (k == label ? 1 - op.smoothing : 0);
      dlogits.at(n, k, 0, 0) = static_cast<T>(scale * (probabilities.at(n, k, 0, 0) - target));
    }
  }
}

}  // namespace fovea::reference
