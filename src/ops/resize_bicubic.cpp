#include "ops/resize_bicubic.h"

#include "ops/check.h"

namespace fovea {

Types infer(const ResizeBicubic& op, std::span<const Type> inputs) { return with_size(op.kName, inputs, "x", op.size); }

void gradient(const ResizeBicubic&, GradientContext& g) {
  if (!g.needs(0)) return;
  const Size2 size{g.x(0).height(), g.x(0).width()};
  g.give(0, g.emit(ResizeBicubicGrad{size}, {g.dy()})[0]);
}

Types infer(const ResizeBicubicGrad& op, std::span<const Type> inputs) { return with_size(op.kName, inputs, "dy", op.size); }

}  // namespace fovea
