#include "ops/slice.h"

#include "ops/check.h"

namespace fovea {

Types infer(const Slice& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}});
  check_rank(op.kName, {"x", inputs[0]}, 4);
  check_axis(op.kName, op.axis);
  Shape shape = inputs[0].shape;
  int64_t& size = shape[static_cast<int>(op.axis)];
  if (op.begin < 0 || op.begin >= op.end || op.end > size)
    fail(ErrorKind::usage, "{}: places {} to {} of axis {} of {}", op.kName, op.begin, op.end, op.axis, to_string(inputs[0].shape));
  size = op.end - op.begin;
  return {{dtype, shape}};
}

void gradient(const Slice& op, GradientContext& g) {
  if (!g.needs(0)) return;
  const int64_t size = g.x(0).shape()[static_cast<int>(op.axis)];
  g.give(0, g.emit(Pad{op.axis, op.begin, size - op.end}, {g.dy()})[0]);
}

Types infer(const Pad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}});
  check_rank(op.kName, {"x", inputs[0]}, 4);
  check_axis(op.kName, op.axis);
  if (op.before < 0 || op.after < 0) fail(ErrorKind::usage, "{}: {} places before and {} after, at least 0", op.kName, op.before, op.after);
  Shape shape = inputs[0].shape;
  shape[static_cast<int>(op.axis)] += op.before + op.after;
  return {{dtype, shape}};
}

void gradient(const Pad& op, GradientContext& g) {
  if (!g.needs(0)) return;
  const int64_t size = g.x(0).shape()[static_cast<int>(op.axis)];
  g.give(0, g.emit(Slice{op.axis, op.before, op.before + size}, {g.dy()})[0]);
}

}  // namespace fovea
