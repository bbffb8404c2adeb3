// Means over windows, blurring, bicubic resampling, and their gradients.
#pragma once

#include "backends/reference/arguments.h"
#include "ops/average_pool2d.h"
#include "ops/blur_pool2d.h"
#include "ops/resize_bicubic.h"
#include "ops/windows.h"

namespace fovea::reference {

template <class T, class Windows>
void resample(const Arguments& a, const Windows& rows, const Windows& columns) {
  const auto x = a.input<T>(0);
  const auto y = a.output<T>(0);
  for_channel_blocks(y, [&](int64_t first, int64_t end) {
    for (int64_t n = 0; n < y.batch(); ++n)
      for (int64_t oh = 0; oh < y.height(); ++oh)
        for (int64_t ow = 0; ow < y.width(); ++ow) {
          const auto down = rows(oh), across = columns(ow);
          double sums[channel_block] = {};
          for (int64_t h = down.begin; h < down.end; ++h)
            for (int64_t w = across.begin; w < across.end; ++w) {
              const double weight = down.weight(h) * across.weight(w);
              for (int64_t c = first; c < end; ++c) sums[c - first] += weight * x.at(n, c, h, w);
            }
          for (int64_t c = first; c < end; ++c) y.at(n, c, oh, ow) = static_cast<T>(sums[c - first]);
        }
  });
}

// Gathers: for each place of x the windows that hold it.
template <class T, class Windows>
void resample_grad(const Arguments& a, const Windows& rows, const Windows& columns) {
  const auto dy = a.input<T>(0);
  const auto dx = a.output<T>(0);
  for_channel_blocks(dx, [&](int64_t first, int64_t end) {
    for (int64_t n = 0; n < dx.batch(); ++n)
      for (int64_t h = 0; h < dx.height(); ++h)
        for (int64_t w = 0; w < dx.width(); ++w) {
          double sums[channel_block] = {};
          for (int64_t oh = 0; oh < dy.height(); ++oh) {
            const auto down = rows(oh);
            if (h < down.begin || h >= down.end) continue;
            for (int64_t ow = 0; ow < dy.width(); ++ow) {
              const auto across = columns(ow);
              if (w < across.begin || w >= across.end) continue;
              const double weight = down.weight(h) * across.weight(w);
              for (int64_t c = first; c < end; ++c) sums[c - first] += weight * dy.at(n, c, oh, ow);
            }
          }
          for (int64_t c = first; c < end; ++c) dx.at(n, c, h, w) = static_cast<T>(sums[c - first]);
        }
  });
}

template <class T>
void run(const AveragePool2d& op, const Arguments& a) {
  resample<T>(a, StridedMeans{op.kernel.height, op.stride.height}, StridedMeans{op.kernel.width, op.stride.width});
}

template <class T>
void run(const AveragePool2dGrad& op, const Arguments& a) {
  resample_grad<T>(a, StridedMeans{op.kernel.height, op.stride.height}, StridedMeans{op.kernel.width, op.stride.width});
}

template <class T>
void run(const BlurPool2d& op, const Arguments& a) {
  const Shape& x = a.inputs[0].type.shape;
  resample<T>(a, BlurWindows{op.stride, x.height(), op.reflect}, BlurWindows{op.stride, x.width(), op.reflect});
}

template <class T>
void run(const BlurPool2dGrad& op, const Arguments& a) {
  resample_grad<T>(a, BlurWindows{op.stride, op.size.height, op.reflect}, BlurWindows{op.stride, op.size.width, op.reflect});
}

// The windows of a change of size, along height and width.
template <class T, class Windows>
void resize(const Arguments& a) {
  const Shape &from = a.inputs[0].type.shape, &to = a.outputs[0].type.shape;
  resample<T>(a, Windows{from.height(), to.height()}, Windows{from.width(), to.width()});
}
template <class T, class Windows>
void resize_grad(const Arguments& a) {
  const Shape &from = a.outputs[0].type.shape, &to = a.inputs[0].type.shape;
  resample_grad<T>(a, Windows{from.height(), to.height()}, Windows{from.width(), to.width()});
}

template <class T>
void run(const AdaptiveAveragePool2d&, const Arguments& a) {
  resize<T, AdaptiveMeans>(a);
}

template <class T>
void run(const AdaptiveAveragePool2dGrad&, const Arguments& a) {
  resize_grad<T, AdaptiveMeans>(a);
}

template <class T>
void run(const ResizeBicubic&, const Arguments& a) {
  resize<T, CubicWindows>(a);
}

template <class T>
void run(const ResizeBicubicGrad&, const Arguments& a) {
  resize_grad<T, CubicWindows>(a);
}

}  // namespace fovea::reference
