#include "ops/average_pool2d.h"

#include "ops/check.h"

namespace fovea {
namespace {

Shape pooled(std::string_view op, const Shape& shape, Size2 kernel, Size2 stride) {
  const Size2 size = window_places(op, {shape.height(), shape.width()}, {}, kernel, stride);
  return {shape.batch(), shape.channels(), size.height, size.width};
}

}  // namespace

Types infer(const AveragePool2d& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}});
  check_rank(op.kName, {"x", inputs[0]}, 4);
  return {{dtype, pooled(op.kName, inputs[0].shape, op.kernel, op.stride)}};
}

void gradient(const AveragePool2d& op, GradientContext& g) {
  if (!g.needs(0)) return;
  const Size2 size{g.x(0).height(), g.x(0).width()};
  g.give(0, g.emit(AveragePool2dGrad{op.kernel, op.stride, size}, {g.dy()})[0]);
}

Types infer(const AveragePool2dGrad& op, std::span<const Type> inputs) {
  Types results = with_size(op.kName, inputs, "dy", op.size);
  check_shape(op.kName, {"dy", inputs[0]}, pooled(op.kName, results[0].shape, op.kernel, op.stride));
  return results;
}

Types infer(const AdaptiveAveragePool2d& op, std::span<const Type> inputs) { return with_size(op.kName, inputs, "x", op.size); }

void gradient(const AdaptiveAveragePool2d&, GradientContext& g) {
  if (!g.needs(0)) return;
  const Size2 size{g.x(0).height(), g.x(0).width()};
  g.give(0, g.emit(AdaptiveAveragePool2dGrad{size}, {g.dy()})[0]);
}

Types infer(const AdaptiveAveragePool2dGrad& op, std::span<const Type> inputs) { return with_size(op.kName, inputs, "dy", op.size); }

}  // namespace fovea
