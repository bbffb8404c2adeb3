#include "ops/linear_update.h"

#include "ops/check.h"
#include "ops/conv2d.h"

namespace fovea::linear_update {
namespace {

Conv2dWeightGrad gradient_of(const Type& x) { return {{1, 1}, {}, 1, {x.shape.height(), x.shape.width()}}; }

}  // namespace

Type gradient_type(std::string_view op, std::span<const Type> inputs) {
  if (inputs.size() < 4) fail(ErrorKind::usage, "{}: {} inputs, it takes 4 and more", op, inputs.size());
  check_rank(op, {"x", inputs[1]}, 4);
  return infer(gradient_of(inputs[1]), inputs.subspan(1, 2))[0];
}

Cost cost(std::span<const Type> inputs, std::span<const Type> outputs) {
  Cost cost = bytes_only(inputs, outputs);
  cost.multiply_adds = inputs[0].shape.elements() * inputs[1].shape.batch();
  return cost;
}

}  // namespace fovea::linear_update
