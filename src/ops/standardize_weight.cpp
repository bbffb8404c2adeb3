#include "ops/standardize_weight.h"

#include "ops/check.h"

namespace fovea {

Types infer(const StandardizeWeight& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const NamedType w{"w", inputs[0]};
  check_floating(op.kName, {w});
  check_rank(op.kName, w, 4);
  return {inputs[0]};
}

void gradient(const StandardizeWeight& op, GradientContext& g) {
  if (!g.needs(0)) return;
  g.give(0, g.emit(StandardizeWeightGrad{op.eps}, {g.dy(), g.x(0)})[0]);
}

Types infer(const StandardizeWeightGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2);
  const NamedType dy{"dy", inputs[0]}, w{"w", inputs[1]};
  check_floating(op.kName, {w, dy});
  check_rank(op.kName, w, 4);
  check_shape(op.kName, dy, inputs[1].shape);
  return {inputs[1]};
}

}  // namespace fovea
