#pragma once

#include <cmath>

#include "backends/reference/arguments.h"
#include "ops/group_norm.h"

namespace fovea::reference {

// body(picture, group) for all of them, shared among threads.
template <class T, class Body>
void for_groups(const View<T>& x, int64_t groups, const Body& body) {
  parallel_for(x.batch() * groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i / groups, i % groups);
  });
}

// body(channel, row, column) for every number of a picture's group.
template <class T, class Body>
void for_group(const View<T>& x, int64_t groups, int64_t group, const Body& body) {
  const int64_t channels = x.channels() / groups;
  for (int64_t h = 0; h < x.height(); ++h)
    for (int64_t w = 0; w < x.width(); ++w)
      for (int64_t c = group * channels; c < (group + 1) * channels; ++c) body(c, h, w);
}

template <class T>
void run(const GroupNorm& op, const Arguments& a) {
  const auto x = a.input<T>(0), gamma = a.input<T>(1), beta = a.input<T>(2);
  const auto y = a.output<T>(0), mean = a.output<T>(1), inv_std = a.output<T>(2);
  const auto count = static_cast<double>(x.height() * x.width() * (x.channels() / op.groups));
  for_groups(x, op.groups, [&](int64_t n, int64_t group) {
    double m = 0, v = 0;
    for_group(x, op.groups, group, [&](int64_t c, int64_t h, int64_t w) { m += x.at(n, c, h, w); });
    m /= count;
    for_group(x, op.groups, group, [&](int64_t c, int64_t h, int64_t w) { v += std::pow(x.at(n, c, h, w) - m, 2); });
    const double i = 1 / std::sqrt(v / count + op.eps);
    if (mean.valid()) mean.at(n, group, 0, 0) = static_cast<T>(m);
    if (inv_std.valid()) inv_std.at(n, group, 0, 0) = static_cast<T>(i);
    if (!y.valid()) return;
    for_group(x, op.groups, group, [&](int64_t c, int64_t h, int64_t w) {
      y.at(n, c, h, w) = static_cast<T>(gamma.at(0, c, 0, 0) * ((x.at(n, c, h, w) - m) * i) + beta.at(0, c, 0, 0));
    });
  });
}

template <class T>
void run(const GroupNormGrad& op, const Arguments& a) {
  const auto dy = a.input<T>(0), x = a.input<T>(1), gamma = a.input<T>(2), mean = a.input<T>(3), inv_std = a.input<T>(4);
  const auto dx = a.output<T>(0), dgamma = a.output<T>(1), dbeta = a.output<T>(2);
  const int64_t width = x.channels() / op.groups;
  const auto normalized = [&](int64_t n, int64_t c, int64_t h, int64_t w) {
    return (double{x.at(n, c, h, w)} - mean.at(n, c / width, 0, 0)) * inv_std.at(n, c / width, 0, 0);
  };
  // Before dx is written: it may lie in the place of dy or x.
  for_channel_blocks(x, [&](int64_t first, int64_t end) {
    double sum[channel_block] = {}, product[channel_block] = {};
    for (int64_t n = 0; n < x.batch(); ++n)
      for (int64_t h = 0; h < x.height(); ++h)
        for (int64_t w = 0; w < x.width(); ++w)
          for (int64_t c = first; c < end; ++c) {
            sum[c - first] += dy.at(n, c, h, w);
            product[c - first] += dy.at(n, c, h, w) * normalized(n, c, h, w);
          }
    for (int64_t c = first; c < end; ++c) {
      if (dgamma.valid()) dgamma.at(0, c, 0, 0) = static_cast<T>(product[c - first]);
      if (dbeta.valid()) dbeta.at(0, c, 0, 0) = static_cast<T>(sum[c - first]);
    }
  });
  if (!dx.valid()) return;
  const auto count = static_cast<double>(x.height() * x.width() * width);
  for_groups(x, op.groups, [&](int64_t n, int64_t group) {
    double sum = 0, product = 0;
    for_group(x, op.groups, group, [&](int64_t c, int64_t h, int64_t w) {
      const double d = double{dy.at(n, c, h, w)} * gamma.at(0, c, 0, 0);
      sum += d;
      product += d * normalized(n, c, h, w);
    });
    for_group(x, op.groups, group, [&](int64_t c, int64_t h, int64_t w) {
      const double d = double{dy.at(n, c, h, w)} * gamma.at(0, c, 0, 0);
      const double centered = d - (sum + normalized(n, c, h, w) * product) / count;
      dx.at(n, c, h, w) = static_cast<T>(centered * inv_std.at(n, group, 0, 0));
    });
  });
}

}  // namespace fovea::reference
