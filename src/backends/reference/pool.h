// GlobalAveragePool, MaxPool2d and its gradient.
#pragma once

#include "backends/reference/arguments.h"
#include "ops/global_average_pool.h"
#include "ops/max_pool2d.h"

namespace fovea::reference {

template <class T>
void run(const GlobalAveragePool&, const Arguments& a) {
  const auto x = a.input<T>(0);
  const auto y = a.output<T>(0);
  for_channel_blocks(x, [&](int64_t first, int64_t end) {
    for (int64_t n = 0; n < x.batch(); ++n) {
      double sums[channel_block] = {};
      for (int64_t h = 0; h < x.height(); ++h)
        for (int64_t w = 0; w < x.width(); ++w)
          for (int64_t c = first; c < end; ++c) sums[c - first] += x.at(n, c, h, w);
      for (int64_t c = first; c < end; ++c)
        y.at(n, c, 0, 0) = static_cast<T>(sums[c - first] / static_cast<double>(x.height() * x.width()));
    }
  });
}

template <class T>
void run(const MaxPool2d& op, const Arguments& a) {
  const auto x = a.input<T>(0);
  const auto y = a.output<T>(0);
  const auto argmax = a.output<int32_t>(1);
  const int64_t out_height = a.outputs[0].type.shape.height(), out_width = a.outputs[0].type.shape.width();
  parallel_for(x.batch() * out_height, grain_of(out_width * x.channels() * op.kernel.height * op.kernel.width),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   const int64_t n = row / out_height, oh = row % out_height, top = oh * op.stride.height - op.padding.top;
                   for (int64_t ow = 0; ow < out_width; ++ow) {
                     const int64_t left = ow * op.stride.width - op.padding.left;
                     const int64_t h0 = std::max<int64_t>(top, 0), w0 = std::max<int64_t>(left, 0);
                     const int64_t h1 = std::min(top + op.kernel.height, x.height()), w1 = std::min(left + op.kernel.width, x.width());
                     for (int64_t c = 0; c < x.channels(); ++c) {
                       T best = x.at(n, c, h0, w0);
                       int64_t place = h0 * x.width() + w0;
                       for (int64_t h = h0; h < h1; ++h)
                         for (int64_t w = w0; w < w1; ++w)
                           if (x.at(n, c, h, w) > best) {
                             best = x.at(n, c, h, w);
                             place = h * x.width() + w;
                           }
                       if (y.valid()) y.at(n, c, oh, ow) = best;
                       if (argmax.valid()) argmax.at(n, c, oh, ow) = static_cast<int32_t>(place);
                     }
                   }
                 }
               });
}

template <class T>
void run(const MaxPool2dGrad& op, const Arguments& a) {
  const auto dy = a.input<T>(0);
  const auto argmax = a.input<int32_t>(1);
  const auto dx = a.output<T>(0);
  // Gathers: for each place of x the windows over it, so that nothing is summed in memory.
  for_pixel_rows(dx, [&](int64_t n, int64_t h) {
    for (int64_t w = 0; w < dx.width(); ++w)
      for (int64_t c = 0; c < dx.channels(); ++c) {
        double sum = 0;
        for (int64_t i = 0; i < op.kernel.height; ++i)
          for (int64_t j = 0; j < op.kernel.width; ++j) {
            const int64_t down = h + op.padding.top - i, across = w + op.padding.left - j;
            if (down < 0 || across < 0 || down % op.stride.height != 0 || across % op.stride.width != 0) continue;
            const int64_t oh = down / op.stride.height, ow = across / op.stride.width;
            if (oh >= dy.height() || ow >= dy.width()) continue;
            if (argmax.at(n, c, oh, ow) == h * dx.width() + w) sum += dy.at(n, c, oh, ow);
          }
        dx.at(n, c, h, w) = static_cast<T>(sum);
      }
  });
}

}  // namespace fovea::reference
