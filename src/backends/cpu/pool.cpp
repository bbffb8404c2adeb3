// Max pooling. Rows of pixels are independent in both directions, so threads change nothing.
#include <algorithm>

#include "backends/cpu/candidates.h"
#include "backends/cpu/simd.h"
#include "ops/max_pool2d.h"

namespace fovea::cpu {
namespace {

struct Window {
  int64_t first, last;  // of the input, clipped to it
};
Window window(int64_t at, int64_t stride, int64_t before, int64_t kernel, int64_t size) {
  const int64_t start = at * stride - before;
  return {std::max<int64_t>(0, start), std::min(size, start + kernel)};
}
// The outputs whose windows hold an input position.
Window covering(int64_t position, int64_t stride, int64_t before, int64_t kernel, int64_t size) {
  const int64_t reach = position + before - kernel + 1;
  const int64_t first = reach <= 0 ? 0 : (reach + stride - 1) / stride;
  return {first, std::min(size, (position + before) / stride + 1)};
}

}  // namespace

Planned plan_max_pool2d(const Request& request) {
  const MaxPool2d op = *request.op.as<MaxPool2d>();
  const Operand &x = request.inputs[0], &y = request.outputs[0], &where = request.outputs[1];
  const Shape in = x.type.shape, out = y.type.shape;
  const int64_t x_stride = x.row_stride, y_stride = y.row_stride, where_stride = where.row_stride, channels = in.channels();
  const DType type = x.type.dtype;
  return accept([=](const Bound& bound) {
    parallel_kernel(out.batch() * out.height(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const int64_t n = line / out.height(), oy = line % out.height();
        const Window rows = window(oy, op.stride.height, op.padding.top, op.kernel.height, in.height());
        for (int64_t ox = 0; ox < out.width(); ++ox) {
          const Window columns = window(ox, op.stride.width, op.padding.left, op.kernel.width, in.width());
          const int64_t pixel = line * out.width() + ox, first = rows.first * in.width() + columns.first;
          simd::MaxWindow winner{bound.source(0, type) + (n * in.height() * in.width() + first) * x_stride,
                                 rows.last - rows.first,
                                 columns.last - columns.first,
                                 in.width() * x_stride,
                                 x_stride,
                                 static_cast<int32_t>(first),
                                 static_cast<int32_t>(in.width()),
                                 {},
                                 nullptr};
          if (bound.outputs[0]) winner.y = bound.target(0, type) + pixel * y_stride;
          if (bound.outputs[1]) winner.where = bound.out<int32_t>(1) + pixel * where_stride;
          simd::max_window(winner, channels);
        }
      }
    });
  });
}

Planned plan_max_pool2d_grad(const Request& request) {
  const MaxPool2dGrad op = *request.op.as<MaxPool2dGrad>();
  const Operand &dy = request.inputs[0], &where = request.inputs[1], &dx = request.outputs[0];
  const Shape out = dy.type.shape, in = dx.type.shape;
  const int64_t dy_stride = dy.row_stride, where_stride = where.row_stride, dx_stride = dx.row_stride, channels = in.channels();
  const DType type = dy.type.dtype;
  const int64_t lines = in.batch() * in.height(), parts = threads();
  const size_t sum_bytes = type == DType::bf16 ? align64(static_cast<size_t>(channels) * sizeof(float)) : 0;
  return accept(sum_bytes * static_cast<size_t>(parts), [=](const Bound& bound) {
    parallel_kernel(parts, 1, [&](int64_t first_part, int64_t last_part) {
      for (int64_t part = first_part; part < last_part; ++part)
        for (int64_t line = lines * part / parts; line < lines * (part + 1) / parts; ++line) {
          const int64_t n = line / in.height(), iy = line % in.height();
          const Window rows = covering(iy, op.stride.height, op.padding.top, op.kernel.height, out.height());
          for (int64_t ix = 0; ix < in.width(); ++ix) {
            const Target to = bound.target(0, type) + (line * in.width() + ix) * dx_stride;
            float* const sum = to.bf16 ? bound.scratch<float>(static_cast<size_t>(part) * sum_bytes) : to.as<float>();
            std::fill_n(sum, channels, 0.0f);
            const Window columns = covering(ix, op.stride.width, op.padding.left, op.kernel.width, out.width());
            for (int64_t oy = rows.first; oy < rows.last; ++oy)
              for (int64_t ox = columns.first; ox < columns.last; ++ox) {
                const int64_t pixel = (n * out.height() + oy) * out.width() + ox;
                simd::add_where(bound.source(0, type) + pixel * dy_stride, bound.in<int32_t>(1) + pixel * where_stride,
                                static_cast<int32_t>(iy * in.width() + ix), sum, channels);
              }
            if (to.bf16) simd::convert(sum, to, channels);
          }
        }
    });
  });
}

}  // namespace fovea::cpu
