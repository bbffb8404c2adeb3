#include "ops/blur_pool2d.h"

#include "ops/check.h"

namespace fovea {
namespace {

constexpr int64_t kTaps = 9;  // pixels under the filter

// As of a convolution of three by three, padded by one.
Shape blurred(std::string_view op, const Shape& x, int64_t stride, bool reflect) {
  const Size2 size = window_places(op, {x.height(), x.width()}, {1, 1, 1, 1}, {3, 3}, {stride, stride});
  if (reflect && (x.height() < 2 || x.width() < 2))
    fail(ErrorKind::usage, "{}: a map of {}x{} has no row or no column to reflect", op, x.height(), x.width());
  return {x.batch(), x.channels(), size.height, size.width};
}

}  // namespace

Types infer(const BlurPool2d& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}});
  check_rank(op.kName, {"x", inputs[0]}, 4);
  return {{dtype, blurred(op.kName, inputs[0].shape, op.stride, op.reflect)}};
}

Cost cost(const BlurPool2d&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return {kTaps * outputs[0].elements(), bytes_only(inputs, outputs).bytes};
}

void gradient(const BlurPool2d& op, GradientContext& g) {
  if (!g.needs(0)) return;
  const Size2 size{g.x(0).height(), g.x(0).width()};
  g.give(0, g.emit(BlurPool2dGrad{op.stride, op.reflect, size}, {g.dy()})[0]);
}

Types infer(const BlurPool2dGrad& op, std::span<const Type> inputs) {
  Types results = with_size(op.kName, inputs, "dy", op.size);
  check_shape(op.kName, {"dy", inputs[0]}, blurred(op.kName, results[0].shape, op.stride, op.reflect));
  return results;
}

Cost cost(const BlurPool2dGrad&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return {kTaps * inputs[0].elements(), bytes_only(inputs, outputs).bytes};
}

}  // namespace fovea
