// Dropout's mask, by the definition in ops/dropout.h.
#include <algorithm>

#include "backends/cpu/candidates.h"
#include "base/random.h"
#include "ops/dropout.h"

namespace fovea::cpu {

Planned plan_random_mask(const Request& request) {
  const RandomMask op = *request.op.as<RandomMask>();
  const Operand &x = request.inputs[0], &y = request.outputs[0];
  // Values of another rank are dense: rows of the batch are their first dimension, the rest counts as channels of one pixel.
  const Shape given = x.type.shape;
  const bool image = given.rank() == 4;
  const int64_t batch = given.rank() > 0 ? given[0] : 1;
  const Shape shape = image ? given : Shape{batch, given.elements() / std::max<int64_t>(1, batch), 1, 1};
  const int64_t x_stride = image ? x.row_stride : shape.channels(), y_stride = image ? y.row_stride : shape.channels();
  return accept([=](const Bound& bound) {
    const auto seed = static_cast<uint64_t>(*bound.in<int64_t>(1)), step = static_cast<uint64_t>(*bound.in<int64_t>(2));
    const RandomStream stream(seed, mix64(static_cast<uint64_t>(op.stream)) + step);
    const auto scale = static_cast<float>(1 / (1 - op.probability));
    const int64_t pixels = shape.height() * shape.width(), channels = shape.channels();
    parallel_kernel(shape.batch() * pixels, std::max<int64_t>(1, kGrain / 8 / channels), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t n = row / pixels, pixel = row % pixels;
        const float* const from = bound.in(0) + row * x_stride;
        float* const to = bound.out(0) + row * y_stride;
        if (op.per_sample) {
          const bool kept = stream.uniform(static_cast<uint64_t>(n)) >= op.probability;
          for (int64_t c = 0; c < channels; ++c) to[c] = kept ? from[c] * scale : 0.0f;
          continue;
        }
        for (int64_t c = 0; c < channels; ++c) {
          const bool kept = stream.uniform(static_cast<uint64_t>((n * channels + c) * pixels + pixel)) >= op.probability;
          to[c] = kept ? from[c] * scale : 0.0f;
        }
      }
    });
  });
}

}  // namespace fovea::cpu
