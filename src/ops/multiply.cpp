#include "ops/multiply.h"

#include "ops/add.h"
#include "ops/check.h"

namespace fovea {

Types infer(const Multiply& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2);
  const DType dtype = check_floating(op.kName, {{"a", inputs[0]}, {"b", inputs[1]}});
  return {{dtype, in_context(op.kName, [&] { return broadcast(inputs[0].shape, inputs[1].shape); })}};
}

void gradient(const Multiply& op, GradientContext& g) {
  for (int input : {0, 1})
    if (g.needs(input)) g.give(input, g.emit(op, {g.dy(), g.x(1 - input)})[0]);
}

bool overwrites(const Multiply&, int, int output) { return output == 0; }

}  // namespace fovea
