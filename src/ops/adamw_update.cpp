#include "ops/adamw_update.h"

#include "ops/check.h"

namespace fovea {

Types infer(const AdamWUpdate& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 6);
  const NamedType parameter{"parameter", inputs[0]}, gradient{"gradient", inputs[1]}, m{"m", inputs[2]}, v{"v", inputs[3]},
      rate{"rate", inputs[4]}, step{"step", inputs[5]};
  check_floating(op.kName, {parameter, gradient, m, v, rate});
  for (const NamedType& operand : {gradient, m, v}) check_shape(op.kName, operand, inputs[0].shape);
  check_rank(op.kName, rate, 0);
  check_dtype(op.kName, step, DType::i64);
  check_rank(op.kName, step, 0);
  return {inputs[0], inputs[0], inputs[0]};
}

bool overwrites(const AdamWUpdate&, int input, int output) {
  return (input == 0 && output == 0) || (input == 2 && output == 1) || (input == 3 && output == 2);
}

}  // namespace fovea
