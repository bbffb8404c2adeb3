#include "ops/sgd_update.h"

#include "ops/check.h"

namespace fovea {

Types infer(const SgdUpdate& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 4);
  const NamedType parameter{"parameter", inputs[0]}, gradient{"gradient", inputs[1]}, velocity{"velocity", inputs[2]},
      rate{"rate", inputs[3]};
  check_floating(op.kName, {parameter, gradient, velocity, rate});
  check_shape(op.kName, gradient, inputs[0].shape);
  check_shape(op.kName, velocity, inputs[0].shape);
  check_rank(op.kName, rate, 0);
  return {inputs[0], inputs[0]};
}

bool overwrites(const SgdUpdate&, int input, int output) { return (input == 0 && output == 0) || (input == 2 && output == 1); }

}  // namespace fovea
