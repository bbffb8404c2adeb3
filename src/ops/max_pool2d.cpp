#include "ops/max_pool2d.h"

#include <algorithm>

#include "ops/check.h"

namespace fovea {
namespace {

Shape pooled(std::string_view op, const Shape& shape, Size2 kernel, Size2 stride, const Padding2& padding) {
  const Size2 size = window_places(op, {shape.height(), shape.width()}, padding, kernel, stride);
  // Then no window lies in the padding altogether, and every one has a maximum.
  if (std::max(padding.top, padding.bottom) >= kernel.height || std::max(padding.left, padding.right) >= kernel.width)
    fail(ErrorKind::usage, "{}: padding {} is not smaller than the kernel {}", op, print_field(padding), print_field(kernel));
  return {shape.batch(), shape.channels(), size.height, size.width};
}

}  // namespace

Types infer(const MaxPool2d& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}});
  check_rank(op.kName, {"x", inputs[0]}, 4);
  const Shape shape = pooled(op.kName, inputs[0].shape, op.kernel, op.stride, op.padding);
  return {{dtype, shape}, {DType::i32, shape}};
}

void gradient(const MaxPool2d& op, GradientContext& g) {
  if (!g.needs(0) || !g.dy().valid()) return;
  const Value x = g.x(0);
  g.give(0, g.emit(MaxPool2dGrad{op.kernel, op.stride, op.padding, {x.height(), x.width()}}, {g.dy(), g.y(1)})[0]);
}

Types infer(const MaxPool2dGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2);
  const DType dtype = check_floating(op.kName, {{"dy", inputs[0]}});
  check_dtype(op.kName, {"argmax", inputs[1]}, DType::i32);
  check_rank(op.kName, {"dy", inputs[0]}, 4);
  const Shape& dy = inputs[0].shape;
  const Shape dx{dy.batch(), dy.channels(), op.size.height, op.size.width};
  check_shape(op.kName, {"dy", inputs[0]}, pooled(op.kName, dx, op.kernel, op.stride, op.padding));
  check_shape(op.kName, {"argmax", inputs[1]}, dy);
  return {{dtype, dx}};
}

}  // namespace fovea
