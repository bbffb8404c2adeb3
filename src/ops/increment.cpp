#include "ops/increment.h"

#include "ops/check.h"

namespace fovea {

Types infer(const Increment& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  check_dtype(op.kName, {"n", inputs[0]}, DType::i64);
  check_rank(op.kName, {"n", inputs[0]}, 0);
  return {inputs[0]};
}

bool overwrites(const Increment&, int input, int output) { return input == 0 && output == 0; }

}  // namespace fovea
