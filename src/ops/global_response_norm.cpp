#include "ops/global_response_norm.h"

#include "ops/check.h"

namespace fovea {

Types infer(const GlobalResponseNorm& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 3);
  const NamedType x{"x", inputs[0]}, gamma{"gamma", inputs[1]}, beta{"beta", inputs[2]};
  check_floating(op.kName, {x, gamma, beta});
  check_rank(op.kName, x, 4);
  check_channel_vectors(op.kName, inputs[0].shape.channels(), {gamma, beta});
  return {inputs[0]};
}

void gradient(const GlobalResponseNorm& op, GradientContext& g) {
  if (!g.needs(0) && !g.needs(1) && !g.needs(2)) return;
  const auto gradients = g.emit(GlobalResponseNormGrad{op.eps}, {g.dy(), g.x(0), g.x(1)});
  for (int input : {0, 1, 2})
    if (g.needs(input)) g.give(input, gradients[static_cast<size_t>(input)]);
}

Types infer(const GlobalResponseNormGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 3);
  const NamedType dy{"dy", inputs[0]}, x{"x", inputs[1]}, gamma{"gamma", inputs[2]};
  check_floating(op.kName, {x, dy, gamma});
  check_rank(op.kName, x, 4);
  check_shape(op.kName, dy, inputs[1].shape);
  check_channel_vectors(op.kName, inputs[1].shape.channels(), {gamma});
  return {inputs[1], inputs[2], inputs[2]};
}

}  // namespace fovea
