#include "ops/gradient_norm.h"

#include "ops/check.h"

namespace fovea {

Types infer(const SquaredNorm& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1, 2);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}});
  if (inputs.size() > 1) {
    check_floating(op.kName, {{"x", inputs[0]}, {"sum", inputs[1]}});
    check_rank(op.kName, {"sum", inputs[1]}, 0);
  }
  return {{dtype, {}}};
}

Types infer(const ClipFactor& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  check_floating(op.kName, {{"squared norm", inputs[0]}});
  check_rank(op.kName, {"squared norm", inputs[0]}, 0);
  if (!(op.max_norm > 0)) fail(ErrorKind::usage, "{}: the largest norm is {}, a number above 0 is wanted", op.kName, op.max_norm);
  return {inputs[0]};
}

}  // namespace fovea
