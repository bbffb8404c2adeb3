#include "backends/cpu/depthwise.h"

#include <algorithm>

#include "backends/cpu/candidates.h"
#include "ops/conv2d.h"

namespace fovea::cpu {

Planned plan_conv2d_weight_grad_depthwise(const Request& request) {
  const Conv2dWeightGrad op = *request.op.as<Conv2dWeightGrad>();
  const Shape x = request.inputs[0].type.shape, dy = request.inputs[1].type.shape;
  if (op.groups != x.channels() || dy.channels() != x.channels()) return refuse("not depthwise");
  if (op.kernel.width != 3 && op.kernel.width != 5 && op.kernel.width != 7) return refuse("kernel of width {}", op.kernel.width);
  if (!is_dense(request.inputs[0]) || !is_dense(request.inputs[1])) return refuse("rows that are not dense");
  const int64_t channels = x.channels(), taps = op.kernel.height * op.kernel.width, lines = dy.batch() * dy.height(), parts = threads();
  simd::DepthwiseBlock shape{};
  shape.channels = channels, shape.height = x.height(), shape.width = x.width(), shape.out_width = dy.width();
  shape.kernel_height = op.kernel.height, shape.kernel_width = op.kernel.width;
  shape.stride_height = op.stride.height, shape.stride_width = op.stride.width;
  shape.top = op.padding.top, shape.left = op.padding.left;
  shape.inner_first = std::min(dy.width(), (op.padding.left + op.stride.width - 1) / op.stride.width);
  const int64_t room = x.width() + op.padding.left - op.kernel.width;  // where the last inner window starts, padding counted
  shape.inner_last = room < 0 ? 0 : std::min(dy.width(), room / op.stride.width + 1);
  // Lines added up in float before they go to the double sums: few enough that their inputs stay in a core's second-level cache.
  const int64_t line_bytes = (x.width() * op.stride.height + dy.width()) * channels * static_cast<int64_t>(sizeof(float));
  const int64_t block_lines = std::clamp<int64_t>(int64_t{256} * 1024 / line_bytes, 1, 16);
  const size_t part_bytes = align64(static_cast<size_t>(taps * channels) * sizeof(double));
  return accept(part_bytes * static_cast<size_t>(parts), [=](const Bound& bound) {
    parallel_kernel(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        simd::DepthwiseBlock block = shape;
        block.sums = bound.scratch<double>(static_cast<size_t>(part) * part_bytes);
        std::fill_n(block.sums, taps * channels, 0.0);
        for (int64_t line = lines * part / parts, stop = lines * (part + 1) / parts; line < stop; line += block.last - block.first) {
          const int64_t n = line / dy.height();
          block.x = bound.in(0) + n * x.height() * x.width() * channels;
          block.dy = bound.in(1) + n * dy.height() * dy.width() * channels;
          block.first = line % dy.height();
          block.last = std::min({dy.height(), block.first + block_lines, block.first + stop - line});
          simd::depthwise_weight_grad(block);
        }
      }
    });
    // From [tap][channel] to the weights' [channel][tap].
    parallel_kernel(channels, std::max<int64_t>(1, kGrain / taps), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c)
        for (int64_t tap = 0; tap < taps; ++tap) {
          double sum = 0;
          for (int64_t part = 0; part < parts; ++part)
            sum += bound.scratch<double>(static_cast<size_t>(part) * part_bytes)[tap * channels + c];
          bound.out(0)[c * taps + tap] = static_cast<float>(sum);
        }
    });
  });
}

}  // namespace fovea::cpu
