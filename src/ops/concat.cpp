#include "ops/concat.h"

#include <fmt/format.h>

#include "ops/check.h"
#include "ops/slice.h"

namespace fovea {

Types infer(const Concat& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1, op.kMost);
  check_axis(op.kName, op.axis);
  Shape shape = inputs[0].shape;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string name = fmt::format("x{}", i);
    check_floating(op.kName, {{"x0", inputs[0]}, {name, inputs[i]}});
    check_rank(op.kName, {name, inputs[i]}, 4);
    if (i == 0) continue;
    const auto axis = static_cast<int>(op.axis);
    Shape alike = inputs[i].shape;
    alike[axis] = inputs[0].shape[axis];
    if (!(alike == inputs[0].shape))
      fail(ErrorKind::mismatch, "{}: {} is {}, x0 is {}: they may differ along axis {} alone", op.kName, name, to_string(inputs[i].shape),
           to_string(inputs[0].shape), op.axis);
    shape[axis] += inputs[i].shape[axis];
  }
  return {{inputs[0].dtype, shape}};
}

void gradient(const Concat& op, GradientContext& g) {
  int64_t begin = 0;
  for (int i = 0; i < static_cast<int>(g.input_count()); ++i) {
    const int64_t end = begin + g.x(i).shape()[static_cast<int>(op.axis)];
    if (g.needs(i)) g.give(i, g.emit(Slice{op.axis, begin, end}, {g.dy()})[0]);
    begin = end;
  }
}

}  // namespace fovea
