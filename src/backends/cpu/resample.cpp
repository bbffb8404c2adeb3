// Means over windows, blurring, bicubic resampling, and their gradients: every pixel of the result is a weighted sum over a rectangle of
// pixels, whose weights are made when the kernel is planned.
#include <algorithm>
#include <vector>

#include "backends/cpu/candidates.h"
#include "backends/cpu/simd.h"
#include "ops/average_pool2d.h"
#include "ops/blur_pool2d.h"
#include "ops/resize_bicubic.h"
#include "ops/windows.h"

namespace fovea::cpu {
namespace {

// Along one axis: the result's place p sums from place first[p] on, by weights[start[p]] to weights[start[p + 1] - 1].
struct Taps {
  std::vector<int64_t> first, start{0};
  std::vector<float> weights;

  int64_t places() const { return static_cast<int64_t>(first.size()); }
  int64_t count(int64_t place) const { return start[static_cast<size_t>(place) + 1] - start[static_cast<size_t>(place)]; }
  const float* weights_of(int64_t place) const { return weights.data() + start[static_cast<size_t>(place)]; }
  void close(int64_t first_place) {
    first.push_back(first_place);
    start.push_back(static_cast<int64_t>(weights.size()));
  }
};

template <class Windows>
Taps taps_of(const Windows& windows, int64_t places) {
  Taps taps;
  for (int64_t place = 0; place < places; ++place) {
    const auto window = windows(place);
    for (int64_t i = window.begin; i < window.end; ++i) taps.weights.push_back(static_cast<float>(window.weight(i)));
    taps.close(window.begin);
  }
  return taps;
}

// Of the gradient. The windows that hold a place are neighbours, because their bounds grow.
Taps transposed_taps(const Taps& taps, int64_t size) {
  Taps result;
  for (int64_t i = 0; i < size; ++i) {
    int64_t first = -1;
    for (int64_t place = 0; place < taps.places(); ++place) {
      const int64_t k = i - taps.first[static_cast<size_t>(place)];
      if (k < 0 || k >= taps.count(place)) continue;
      if (first < 0) first = place;
      result.weights.push_back(taps.weights_of(place)[k]);
    }
    result.close(std::max<int64_t>(first, 0));
  }
  return result;
}

Planned plan_taps(const Request& request, Taps rows, Taps columns) {
  const Operand &x = request.inputs[0], &y = request.outputs[0];
  const Shape from = x.type.shape, to = y.type.shape;
  const int64_t x_stride = x.row_stride, y_stride = y.row_stride, channels = to.channels();
  const DType type = x.type.dtype;
  const auto taps = static_cast<int64_t>(rows.weights.size() * columns.weights.size());
  const int64_t work = channels * std::max<int64_t>(1, taps / std::max<int64_t>(1, to.height() * to.width()));  // of a pixel
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work));
  return accept([=, rows = std::move(rows), columns = std::move(columns)](const Bound& bound) {
    parallel_kernel(to.batch() * to.height() * to.width(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t pixel = begin; pixel < end; ++pixel) {
        const int64_t column = pixel % to.width(), row = pixel / to.width() % to.height(), n = pixel / (to.width() * to.height());
        const int64_t top = rows.first[static_cast<size_t>(row)], left = columns.first[static_cast<size_t>(column)];
        const Source corner = bound.source(0, type) + ((n * from.height() + top) * from.width() + left) * x_stride;
        const simd::WeightedWindow window{corner,
                                          from.width() * x_stride,
                                          x_stride,
                                          rows.count(row),
                                          columns.count(column),
                                          rows.weights_of(row),
                                          columns.weights_of(column)};
        simd::weighted_sum(window, bound.target(0, type) + pixel * y_stride, channels);
      }
    });
  });
}

template <class Windows>
Planned plan_windows(const Request& request, const Windows& rows, const Windows& columns) {
  const Shape& to = request.outputs[0].type.shape;
  return plan_taps(request, taps_of(rows, to.height()), taps_of(columns, to.width()));
}
template <class Windows>
Planned plan_windows_grad(const Request& request, const Windows& rows, const Windows& columns) {
  const Shape &dy = request.inputs[0].type.shape, &dx = request.outputs[0].type.shape;
  return plan_taps(request, transposed_taps(taps_of(rows, dy.height()), dx.height()),
                   transposed_taps(taps_of(columns, dy.width()), dx.width()));
}

template <class Windows>
Planned plan_resize(const Request& request) {
  const Shape &from = request.inputs[0].type.shape, &to = request.outputs[0].type.shape;
  return plan_windows(request, Windows{from.height(), to.height()}, Windows{from.width(), to.width()});
}
template <class Windows>
Planned plan_resize_grad(const Request& request) {
  const Shape &from = request.outputs[0].type.shape, &to = request.inputs[0].type.shape;
  return plan_windows_grad(request, Windows{from.height(), to.height()}, Windows{from.width(), to.width()});
}

}  // namespace

Planned plan_average_pool2d(const Request& request) {
  const AveragePool2d op = *request.op.as<AveragePool2d>();
  return plan_windows(request, StridedMeans{op.kernel.height, op.stride.height}, StridedMeans{op.kernel.width, op.stride.width});
}
Planned plan_average_pool2d_grad(const Request& request) {
  const AveragePool2dGrad op = *request.op.as<AveragePool2dGrad>();
  return plan_windows_grad(request, StridedMeans{op.kernel.height, op.stride.height}, StridedMeans{op.kernel.width, op.stride.width});
}
Planned plan_blur_pool2d(const Request& request) {
  const BlurPool2d op = *request.op.as<BlurPool2d>();
  const Shape& x = request.inputs[0].type.shape;
  return plan_windows(request, BlurWindows{op.stride, x.height(), op.reflect}, BlurWindows{op.stride, x.width(), op.reflect});
}
Planned plan_blur_pool2d_grad(const Request& request) {
  const BlurPool2dGrad op = *request.op.as<BlurPool2dGrad>();
  return plan_windows_grad(request, BlurWindows{op.stride, op.size.height, op.reflect}, BlurWindows{op.stride, op.size.width, op.reflect});
}
Planned plan_adaptive_average_pool2d(const Request& request) { return plan_resize<AdaptiveMeans>(request); }
Planned plan_adaptive_average_pool2d_grad(const Request& request) { return plan_resize_grad<AdaptiveMeans>(request); }
Planned plan_resize_bicubic(const Request& request) { return plan_resize<CubicWindows>(request); }
Planned plan_resize_bicubic_grad(const Request& request) { return plan_resize_grad<CubicWindows>(request); }

}  // namespace fovea::cpu
