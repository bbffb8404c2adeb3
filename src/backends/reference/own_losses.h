// What losses of a caller's own are made of: Unary, LogSoftmax, HostLoss.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/reference/arguments.h"
#include "ops/host_loss.h"
#include "ops/log_softmax.h"
#include "ops/unary.h"

namespace fovea::reference {

inline double unary(UnaryKind kind, double x) {
  switch (kind) {
    case UnaryKind::exp:
      return std::exp(x);
    case UnaryKind::log:
      return std::log(x);
    case UnaryKind::softplus:
      return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}

template <class T>
void run(const Unary& op, const Arguments& a) {
  const auto x = a.input_rows<T>(0);
  const auto y = a.output_rows<T>(0);
  for_each(x, [&](int64_t r, int64_t c) { y[r][c] = static_cast<T>(unary(op.kind, static_cast<double>(x[r][c]))); });
}

template <class T>
void run(const LogSoftmax&, const Arguments& a) {
  const auto x = a.input<T>(0);
  const auto y = a.output<T>(0);
  for (int64_t n = 0; n < x.batch(); ++n)
    for (int64_t h = 0; h < x.height(); ++h)
      for (int64_t w = 0; w < x.width(); ++w) {
        double largest = static_cast<double>(x.at(n, 0, h, w)), sum = 0;
        for (int64_t k = 0; k < x.channels(); ++k) largest = std::max(largest, static_cast<double>(x.at(n, k, h, w)));
        for (int64_t k = 0; k < x.channels(); ++k) sum += std::exp(static_cast<double>(x.at(n, k, h, w)) - largest);
        const double log_sum = largest + std::log(sum);
        for (int64_t k = 0; k < x.channels(); ++k) y.at(n, k, h, w) = static_cast<T>(static_cast<double>(x.at(n, k, h, w)) - log_sum);
      }
}

template <class T>
void run(const HostLoss& op, const Arguments& a) {
  const auto logits = a.input<T>(0), targets = a.input<T>(1);
  const int64_t pictures = logits.batch(), classes = logits.channels();
  std::vector<float> given, wanted, slopes(static_cast<size_t>(pictures * classes), 0.0f);
  for (int64_t n = 0; n < pictures; ++n)
    for (int64_t k = 0; k < classes; ++k) {
      given.push_back(static_cast<float>(logits.at(n, k, 0, 0)));
      wanted.push_back(static_cast<float>(targets.at(n, k, 0, 0)));
    }
  const double loss = (*host_loss_function(op.function))(pictures, classes, given, wanted, slopes);
  if (const auto out = a.output<T>(0); out.valid()) out.scalar() = static_cast<T>(loss);
  const auto dlogits = a.output<T>(1);
  for (int64_t n = 0; n < pictures && dlogits.valid(); ++n)
    for (int64_t k = 0; k < classes; ++k) dlogits.at(n, k, 0, 0) = static_cast<T>(slopes[static_cast<size_t>(n * classes + k)]);
}

}  // namespace fovea::reference
