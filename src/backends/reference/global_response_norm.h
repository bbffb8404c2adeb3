#pragma once

#include <cmath>

#include "backends/reference/arguments.h"
#include "ops/global_response_norm.h"

namespace fovea::reference {

inline size_t doubles_by_channel(const Shape& x, size_t count) {
  return count * static_cast<size_t>(x.batch() * x.channels()) * sizeof(double);
}
inline size_t workspace_bytes(const GlobalResponseNorm&, std::span<const Operand> inputs, std::span<const Operand>, int64_t) {
  return doubles_by_channel(inputs[0].type.shape, 1);
}
inline size_t workspace_bytes(const GlobalResponseNormGrad&, std::span<const Operand> inputs, std::span<const Operand>, int64_t) {
  return doubles_by_channel(inputs[1].type.shape, 2);
}

// body(n) for every picture, shared among threads.
template <class T, class Body>
void for_pictures(const View<T>& x, const Body& body) {
  parallel_for(x.batch(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) body(n);
  });
}

// Of a and b by channel, over the pixels of a picture.
template <class T>
void products(const View<const T>& a, const View<const T>& b, int64_t n, double* sums) {
  std::fill_n(sums, a.channels(), 0.0);
  for (int64_t h = 0; h < a.height(); ++h)
    for (int64_t w = 0; w < a.width(); ++w)
      for (int64_t c = 0; c < a.channels(); ++c) sums[c] += double{a.at(n, c, h, w)} * b.at(n, c, h, w);
}

// L2 norms by channel; the result is their mean over the channels + eps.
template <class T>
double channel_norms(const View<const T>& x, int64_t n, double eps, double* norms) {
  products(x, x, n, norms);
  double sum = 0;
  for (int64_t c = 0; c < x.channels(); ++c) sum += norms[c] = std::sqrt(norms[c]);
  return sum / static_cast<double>(x.channels()) + eps;
}

template <class T>
void run(const GlobalResponseNorm& op, const Arguments& a) {
  const auto x = a.input<T>(0), gamma = a.input<T>(1), beta = a.input<T>(2);
  const auto y = a.output<T>(0);
  for_pictures(x, [&](int64_t n) {
    double* const norms = static_cast<double*>(a.workspace) + n * x.channels();
    const double divisor = channel_norms(x, n, op.eps, norms);
    for (int64_t h = 0; h < x.height(); ++h)
      for (int64_t w = 0; w < x.width(); ++w)
        for (int64_t c = 0; c < x.channels(); ++c) {
          const double v = x.at(n, c, h, w);
          y.at(n, c, h, w) = static_cast<T>(v + gamma.at(0, c, 0, 0) * v * (norms[c] / divisor) + beta.at(0, c, 0, 0));
        }
  });
}

template <class T>
void run(const GlobalResponseNormGrad& op, const Arguments& a) {
  const auto dy = a.input<T>(0), x = a.input<T>(1), gamma = a.input<T>(2);
  const auto dx = a.output<T>(0), dgamma = a.output<T>(1), dbeta = a.output<T>(2);
  const int64_t channels = x.channels();
  auto* const ratios = static_cast<double*>(a.workspace);  // norms, then what multiplies gamma x
  double* const slopes = ratios + x.batch() * channels;    // the sums of dy x
  for_pictures(x, [&](int64_t n) {
    double *const norm = ratios + n * channels, *const slope = slopes + n * channels;
    const double divisor = channel_norms(x, n, op.eps, norm);
    products(dy, x, n, slope);
    double by_mean = 0;
    for (int64_t c = 0; c < channels; ++c) by_mean -= gamma.at(0, c, 0, 0) * slope[c] * norm[c] / (divisor * divisor);
    for (int64_t c = 0; c < channels; ++c) {
      const double by_norm = gamma.at(0, c, 0, 0) * slope[c] / divisor + by_mean / static_cast<double>(channels);
      const double along_x = norm[c] > 0 ? by_norm / norm[c] : 0;
      norm[c] /= divisor;
      for (int64_t h = 0; dx.valid() && h < x.height(); ++h)
        for (int64_t w = 0; w < x.width(); ++w)
          dx.at(n, c, h, w) = static_cast<T>(dy.at(n, c, h, w) * (1 + gamma.at(0, c, 0, 0) * norm[c]) + along_x * x.at(n, c, h, w));
    }
  });
  for_channel_blocks(x, [&](int64_t first, int64_t end) {
    for (int64_t c = first; c < end; ++c) {
      double scale = 0, offset = 0;
      for (int64_t n = 0; n < x.batch(); ++n) {
        scale += slopes[n * channels + c] * ratios[n * channels + c];
        for (int64_t h = 0; h < x.height(); ++h)
          for (int64_t w = 0; w < x.width(); ++w) offset += dy.at(n, c, h, w);
      }
      if (dgamma.valid()) dgamma.at(0, c, 0, 0) = static_cast<T>(scale);
      if (dbeta.valid()) dbeta.at(0, c, 0, 0) = static_cast<T>(offset);
    }
  });
}

}  // namespace fovea::reference
