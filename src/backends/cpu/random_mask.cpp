// Dropout's mask, by the definition in ops/dropout.h.
#include <algorithm>
#include <cstring>

#include "backends/cpu/candidates.h"
#include "backends/cpu/simd.h"
#include "base/random.h"
#include "ops/dropout.h"

namespace fovea::cpu {

namespace {

// The value as an image; one of another rank is dense: rows of the batch are its first dimension, the rest counts as channels of one pixel.
struct MaskLayout {
  Shape shape;
  int64_t x_stride, y_stride;
};
MaskLayout layout_of(const Operand& x, const Operand& y) {
  const Shape& given = x.type.shape;
  if (given.rank() == 4) return {given, x.row_stride, y.row_stride};
  const int64_t batch = given.rank() > 0 ? given[0] : 1, row = given.elements() / std::max<int64_t>(1, batch);
  return {{batch, row, 1, 1}, row, row};
}

RandomStream stream_of(const RandomMask& op, const Bound& bound) {
  const auto seed = static_cast<uint64_t>(*bound.in<int64_t>(1)), step = static_cast<uint64_t>(*bound.in<int64_t>(2));
  return {seed, mix64(static_cast<uint64_t>(op.stream)) + step};
}

// Whole pictures are kept or dropped.
Planned plan_per_sample(const RandomMask& op, const MaskLayout& layout, DType dtype) {
  return accept([=](const Bound& bound) {
    const RandomStream stream = stream_of(op, bound);
    const auto scale = static_cast<float>(1 / (1 - op.probability));
    const int64_t pixels = layout.shape.height() * layout.shape.width(), channels = layout.shape.channels();
    const bool dense = layout.x_stride == channels && layout.y_stride == channels;
    const int64_t row = dense ? layout.shape.width() * channels : channels;  // numbers that lie together
    const int64_t rows = dense ? layout.shape.height() : pixels;             // of a picture
    const Source x = bound.source(0, dtype);
    const Target y = bound.target(0, dtype);
    const auto length = static_cast<size_t>(row) * size_of(dtype);
    parallel_kernel(layout.shape.batch() * rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, row)), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Target to = y + i * (dense ? row : layout.y_stride);
        if (stream.uniform(static_cast<uint64_t>(i / rows)) >= op.probability)
          simd::binary(simd::Binary::multiply, x + i * (dense ? row : layout.x_stride), 1, &scale, 0, to, row);
        else
          std::memset(to.data, 0, length);
      }
    });
  });
}

}  // namespace

Planned plan_random_mask(const Request& request) {
  const RandomMask op = *request.op.as<RandomMask>();
  const MaskLayout layout = layout_of(request.inputs[0], request.outputs[0]);
  const DType dtype = request.inputs[0].type.dtype;
  if (op.per_sample) return plan_per_sample(op, layout, dtype);
  if (dtype == DType::bf16) return refuse("no bf16");
  return accept([=](const Bound& bound) {
    const RandomStream stream = stream_of(op, bound);
    const auto scale = static_cast<float>(1 / (1 - op.probability));
    const int64_t pixels = layout.shape.height() * layout.shape.width(), channels = layout.shape.channels();
    parallel_kernel(layout.shape.batch() * pixels, std::max<int64_t>(1, kGrain / 8 / channels), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t n = row / pixels, pixel = row % pixels;
        const float* const from = bound.in(0) + row * layout.x_stride;
        float* const to = bound.out(0) + row * layout.y_stride;
        for (int64_t c = 0; c < channels; ++c) {
          const bool kept = stream.uniform(static_cast<uint64_t>((n * channels + c) * pixels + pixel)) >= op.probability;
          to[c] = kept ? from[c] * scale : 0.0f;
        }
      }
    });
  });
}

}  // namespace fovea::cpu
