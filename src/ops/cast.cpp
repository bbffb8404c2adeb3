#include "ops/cast.h"

#include "ops/check.h"

namespace fovea {

Types infer(const Cast& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  check_floating(op.kName, {{"x", inputs[0]}});
  if (!is_floating(op.dtype)) fail(ErrorKind::usage, "{}: to {}, a floating type is wanted", op.kName, to_string(op.dtype));
  return {{op.dtype, inputs[0].shape}};
}

void gradient(const Cast&, GradientContext& g) {
  if (g.needs(0)) g.give(0, g.emit(Cast{g.x(0).type().dtype}, {g.dy()})[0]);
}

}  // namespace fovea
