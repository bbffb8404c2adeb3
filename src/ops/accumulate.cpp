#include "ops/accumulate.h"

#include "ops/check.h"

namespace fovea {

Types infer(const Accumulate& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 4);
  const NamedType sum{"sum", inputs[0]}, x{"x", inputs[1]}, keep{"keep", inputs[2]}, scale{"scale", inputs[3]};
  check_floating(op.kName, {sum, x, keep, scale});
  check_shape(op.kName, x, inputs[0].shape);
  check_rank(op.kName, keep, 0);
  check_rank(op.kName, scale, 0);
  return {inputs[0]};
}

bool overwrites(const Accumulate&, int input, int output) { return input == 0 && output == 0; }

}  // namespace fovea
