#include "ops/rmsprop_update.h"

#include "ops/check.h"

namespace fovea {

Types infer(const RmspropUpdate& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 5);
  const NamedType parameter{"parameter", inputs[0]}, gradient{"gradient", inputs[1]}, square{"mean square", inputs[2]},
      velocity{"velocity", inputs[3]}, rate{"rate", inputs[4]};
  check_floating(op.kName, {parameter, gradient, square, velocity, rate});
  for (const NamedType& operand : {gradient, square, velocity}) check_shape(op.kName, operand, inputs[0].shape);
  check_rank(op.kName, rate, 0);
  return {inputs[0], inputs[0], inputs[0]};
}

bool overwrites(const RmspropUpdate&, int input, int output) {
  return (input == 0 && output == 0) || (input == 2 && output == 1) || (input == 3 && output == 2);
}

}  // namespace fovea
