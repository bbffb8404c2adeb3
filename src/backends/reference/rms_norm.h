#pragma once

#include <cmath>

#include "backends/reference/arguments.h"
#include "ops/rms_norm.h"

namespace fovea::reference {

template <class T>
void run(const RmsNorm& op, const Arguments& a) {
  const auto x = a.input_rows<T>(0), gamma = a.input_rows<T>(1);
  const auto y = a.output_rows<T>(0), inv_rms = a.output_rows<T>(1);
  parallel_for(x.count, grain_of(x.columns), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      double square = 0;
      for (int64_t c = 0; c < x.columns; ++c) square += double{x[r][c]} * x[r][c] / static_cast<double>(x.columns);
      const double i = 1 / std::sqrt(square + op.eps);
      if (inv_rms.valid()) inv_rms[r][0] = static_cast<T>(i);
      for (int64_t c = 0; y.valid() && c < x.columns; ++c) y[r][c] = static_cast<T>(gamma[0][c] * (x[r][c] * i));
    }
  });
}

template <class T>
void run(const RmsNormGrad&, const Arguments& a) {
  const auto dy = a.input_rows<T>(0), x = a.input_rows<T>(1), gamma = a.input_rows<T>(2), inv_rms = a.input_rows<T>(3);
  const auto dx = a.output_rows<T>(0), dgamma = a.output_rows<T>(1);
  // Before dx is written: it may lie in the place of dy or x.
  parallel_for(x.columns, grain_of(x.count), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; dgamma.valid() && c < end; ++c) {
      double sum = 0;
      for (int64_t r = 0; r < x.count; ++r) sum += double{dy[r][c]} * x[r][c] * inv_rms[r][0];
      dgamma[0][c] = static_cast<T>(sum);
    }
  });
  if (!dx.valid()) return;
  parallel_for(x.count, grain_of(x.columns), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const double i = inv_rms[r][0];
      double mean = 0;  // of dy gamma n, n = x inv_rms
      for (int64_t c = 0; c < x.columns; ++c) mean += double{dy[r][c]} * gamma[0][c] * x[r][c] * i / static_cast<double>(x.columns);
      for (int64_t c = 0; c < x.columns; ++c) dx[r][c] = static_cast<T>((double{dy[r][c]} * gamma[0][c] - x[r][c] * i * mean) * i);
    }
  });
}

}  // namespace fovea::reference
