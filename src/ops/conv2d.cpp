#include "ops/conv2d.h"

#include "ops/add.h"
#include "ops/check.h"

namespace fovea {
namespace {

struct ConvTypes {
  const Type& x;
  const Type& w;
};

// Checks x against w; the shape of y.
Shape convolved(std::string_view op, const ConvTypes& types, const Conv2d& conv) {
  check_rank(op, {"x", types.x}, 4);
  check_rank(op, {"w", types.w}, 4);
  const Shape &x = types.x.shape, &w = types.w.shape;
  if (conv.groups < 1) fail(ErrorKind::usage, "{}: {} groups, at least 1", op, conv.groups);
  if (w[1] * conv.groups != x.channels()) {
    if (conv.groups == 1) fail(ErrorKind::mismatch, "{}: {} input channels, weights for {}", op, x.channels(), w[1]);
    fail(ErrorKind::mismatch, "{}: {} input channels, weights for {} in each of {} groups", op, x.channels(), w[1], conv.groups);
  }
  if (w[0] % conv.groups != 0) fail(ErrorKind::mismatch, "{}: {} output channels in {} groups", op, w[0], conv.groups);
  const Size2 size = window_places(op, {x.height(), x.width()}, conv.padding, {w[2], w[3]}, conv.stride);
  return {x.batch(), w[0], size.height, size.width};
}

int64_t multiply_adds(const Shape& y, const Shape& w) { return y.elements() * w[1] * w[2] * w[3]; }

Cost conv_cost(std::span<const Type> inputs, std::span<const Type> outputs, const Shape& y, const Shape& w) {
  return {multiply_adds(y, w), bytes_only(inputs, outputs).bytes};
}

}  // namespace

Types infer(const Conv2d& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2, 3);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}, {"w", inputs[1]}, {"bias", inputs[inputs.size() == 3 ? 2 : 1]}});
  const Shape y = convolved(op.kName, {inputs[0], inputs[1]}, op);
  if (inputs.size() == 3) check_channel_vectors(op.kName, y.channels(), {{"bias", inputs[2]}});
  return {{dtype, y}};
}

Cost cost(const Conv2d&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return conv_cost(inputs, outputs, outputs[0].shape, inputs[1].shape);
}

void gradient(const Conv2d& op, GradientContext& g) {
  if (g.needs(0)) {
    const Shape x = g.x(0).shape();  // a copy: emitting moves the table
    g.give(0, g.emit(Conv2dInputGrad{op.stride, op.padding, op.groups, {x.height(), x.width()}}, {g.x(1), g.dy()})[0]);
  }
  if (g.needs(1)) {
    const Shape w = g.x(1).shape();
    g.give(1, g.emit(Conv2dWeightGrad{op.stride, op.padding, op.groups, {w[2], w[3]}}, {g.x(0), g.dy()})[0]);
  }
  if (g.input_count() > 2 && g.needs(2)) g.give(2, g.dy());
}

Types infer(const Conv2dInputGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2);
  const DType dtype = check_floating(op.kName, {{"w", inputs[0]}, {"dy", inputs[1]}});
  check_rank(op.kName, {"w", inputs[0]}, 4);
  check_rank(op.kName, {"dy", inputs[1]}, 4);
  const Type dx{dtype, {inputs[1].shape.batch(), inputs[0].shape[1] * op.groups, op.size.height, op.size.width}};
  check_shape(op.kName, {"dy", inputs[1]}, convolved(op.kName, {dx, inputs[0]}, {op.stride, op.padding, op.groups}));
  return {dx};
}

Cost cost(const Conv2dInputGrad&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return conv_cost(inputs, outputs, inputs[1].shape, inputs[0].shape);
}

Types infer(const Conv2dWeightGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}, {"dy", inputs[1]}});
  check_rank(op.kName, {"x", inputs[0]}, 4);
  check_rank(op.kName, {"dy", inputs[1]}, 4);
  if (op.groups < 1 || inputs[0].shape.channels() % op.groups != 0)
    fail(ErrorKind::mismatch, "{}: {} input channels in {} groups", op.kName, inputs[0].shape.channels(), op.groups);
  const Type dw{dtype, {inputs[1].shape.channels(), inputs[0].shape.channels() / op.groups, op.kernel.height, op.kernel.width}};
  check_shape(op.kName, {"dy", inputs[1]}, convolved(op.kName, {inputs[0], dw}, {op.stride, op.padding, op.groups}));
  return {dw};
}

Cost cost(const Conv2dWeightGrad&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return conv_cost(inputs, outputs, inputs[1].shape, outputs[0].shape);
}

Types infer(const FusedConv2d& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2 + size_t{op.bias} + size_t{op.residual});
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}, {"w", inputs[1]}});
  const Shape y = convolved(op.kName, {inputs[0], inputs[1]}, op.plain());
  if (op.bias) {
    check_floating(op.kName, {{"x", inputs[0]}, {"bias", inputs[2]}});
    check_channel_vectors(op.kName, y.channels(), {{"bias", inputs[2]}});
  }
  if (op.residual) {
    check_floating(op.kName, {{"x", inputs[0]}, {"residual", inputs.back()}});
    check_shape(op.kName, {"residual", inputs.back()}, y);
  }
  return {{dtype, y}};
}

Cost cost(const FusedConv2d&, std::span<const Type> inputs, std::span<const Type> outputs) {
  return conv_cost(inputs, outputs, outputs[0].shape, inputs[1].shape);
}

Value compose(const FusedConv2d& op, std::span<const Value> inputs, const std::string& name) {
  Value y = emit(op.plain(), inputs.first(op.bias ? 3 : 2), name)[0];
  if (op.residual) y = emit(Add{}, std::vector<Value>{y, inputs.back()}, name)[0];
  if (op.activation != ActivationKind::identity) y = emit(Activation{op.activation}, std::vector<Value>{y}, name)[0];
  return y;
}

}  // namespace fovea
