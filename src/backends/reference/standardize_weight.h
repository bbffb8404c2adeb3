#pragma once

#include <cmath>

#include "backends/reference/arguments.h"
#include "ops/standardize_weight.h"

namespace fovea::reference {

// body(i, h, v) for every weight of an output.
template <class T, class Body>
void for_weights(const View<T>& w, const Body& body) {
  for (int64_t h = 0; h < w.height(); ++h)
    for (int64_t v = 0; v < w.width(); ++v)
      for (int64_t i = 0; i < w.channels(); ++i) body(i, h, v);
}

struct WeightStatistics {
  double mean = 0, inv_std = 0;
};

template <class T>
WeightStatistics weight_statistics(const View<const T>& w, int64_t o, double eps) {
  const auto count = static_cast<double>(w.channels() * w.height() * w.width());
  double mean = 0, var = 0;
  for_weights(w, [&](int64_t i, int64_t h, int64_t v) { mean += w.at(o, i, h, v) / count; });
  for_weights(w, [&](int64_t i, int64_t h, int64_t v) { var += std::pow(w.at(o, i, h, v) - mean, 2) / count; });
  return {mean, 1 / std::sqrt(var + eps)};
}

template <class T>
void run(const StandardizeWeight& op, const Arguments& a) {
  const auto w = a.input<T>(0);
  const auto y = a.output<T>(0);
  parallel_for(w.batch(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const auto [mean, inv_std] = weight_statistics(w, o, op.eps);
      for_weights(w, [&, mean = mean, inv_std = inv_std](int64_t i, int64_t h, int64_t v) {
        y.at(o, i, h, v) = static_cast<T>((w.at(o, i, h, v) - mean) * inv_std);
      });
    }
  });
}

template <class T>
void run(const StandardizeWeightGrad& op, const Arguments& a) {
  const auto dy = a.input<T>(0), w = a.input<T>(1);
  const auto dw = a.output<T>(0);
  const auto count = static_cast<double>(w.channels() * w.height() * w.width());
  parallel_for(w.batch(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const WeightStatistics of = weight_statistics(w, o, op.eps);
      const auto normalized = [&](int64_t i, int64_t h, int64_t v) { return (w.at(o, i, h, v) - of.mean) * of.inv_std; };
      double sum = 0, product = 0;
      for_weights(w, [&](int64_t i, int64_t h, int64_t v) {
        sum += dy.at(o, i, h, v);
        product += dy.at(o, i, h, v) * normalized(i, h, v);
      });
      for_weights(w, [&](int64_t i, int64_t h, int64_t v) {
        dw.at(o, i, h, v) = static_cast<T>((dy.at(o, i, h, v) - (sum + normalized(i, h, v) * product) / count) * of.inv_std);
      });
    }
  });
}

}  // namespace fovea::reference
