#pragma once

#include <cmath>

#include "backends/reference/arguments.h"
#include "ops/layer_norm.h"

namespace fovea::reference {

template <class T>
void run(const LayerNorm& op, const Arguments& a) {
  const auto x = a.input_rows<T>(0), gamma = a.input_rows<T>(1), beta = a.input_rows<T>(2);
  const auto y = a.output_rows<T>(0), mean = a.output_rows<T>(1), inv_std = a.output_rows<T>(2);
  const auto count = static_cast<double>(x.columns);
  parallel_for(x.count, grain_of(x.columns), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      double m = 0, v = 0;
      for (int64_t c = 0; c < x.columns; ++c) m += x[r][c] / count;
      for (int64_t c = 0; c < x.columns; ++c) v += std::pow(x[r][c] - m, 2) / count;
      const double i = 1 / std::sqrt(v + op.eps);
      if (mean.valid()) mean[r][0] = static_cast<T>(m);
      if (inv_std.valid()) inv_std[r][0] = static_cast<T>(i);
      if (!y.valid()) continue;
      for (int64_t c = 0; c < x.columns; ++c) y[r][c] = static_cast<T>(gamma[0][c] * ((x[r][c] - m) * i) + beta[0][c]);
    }
  });
}

template <class T>
void run(const LayerNormGrad&, const Arguments& a) {
  const auto dy = a.input_rows<T>(0), x = a.input_rows<T>(1), gamma = a.input_rows<T>(2), mean = a.input_rows<T>(3),
             inv_std = a.input_rows<T>(4);
  const auto dx = a.output_rows<T>(0), dgamma = a.output_rows<T>(1), dbeta = a.output_rows<T>(2);
  const auto normalized = [&](int64_t r, int64_t c) { return (double{x[r][c]} - mean[r][0]) * inv_std[r][0]; };
  // Before dx is written: it may lie in the place of dy or x.
  parallel_for(x.columns, grain_of(x.count), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double sum = 0, product = 0;
      for (int64_t r = 0; r < x.count; ++r) {
        sum += dy[r][c];
        product += dy[r][c] * normalized(r, c);
      }
      if (dgamma.valid()) dgamma[0][c] = static_cast<T>(product);
      if (dbeta.valid()) dbeta[0][c] = static_cast<T>(sum);
    }
  });
  if (!dx.valid()) return;
  const auto count = static_cast<double>(x.columns);
  parallel_for(x.count, grain_of(x.columns), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      double sum = 0, product = 0;
      for (int64_t c = 0; c < x.columns; ++c) {
        const double d = double{dy[r][c]} * gamma[0][c];
        sum += d;
        product += d * normalized(r, c);
      }
      for (int64_t c = 0; c < x.columns; ++c) {
        const double centered = double{dy[r][c]} * gamma[0][c] - (sum + normalized(r, c) * product) / count;
        dx[r][c] = static_cast<T>(centered * inv_std[r][0]);
      }
    }
  });
}

}  // namespace fovea::reference
