#include "ops/rms_norm.h"

#include "ops/check.h"

namespace fovea {
namespace {

Shape rms_shape(const Shape& x) { return {x.batch(), 1, x.height(), x.width()}; }

}  // namespace

Types infer(const RmsNorm& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2);
  const NamedType x{"x", inputs[0]}, gamma{"gamma", inputs[1]};
  const DType dtype = check_floating(op.kName, {x, gamma});
  check_rank(op.kName, x, 4);
  const Shape& shape = inputs[0].shape;
  check_channel_vectors(op.kName, shape.channels(), {gamma});
  return {inputs[0], {dtype, rms_shape(shape)}};
}

void gradient(const RmsNorm&, GradientContext& g) {
  if (!g.dy().valid() || (!g.needs(0) && !g.needs(1))) return;
  const auto gradients = g.emit(RmsNormGrad{}, {g.dy(), g.x(0), g.x(1), g.y(1)});
  for (int input : {0, 1})
    if (g.needs(input)) g.give(input, gradients[static_cast<size_t>(input)]);
}

bool overwrites(const RmsNorm&, int input, int output) { return input == 0 && output == 0; }

Types infer(const RmsNormGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 4);
  const NamedType dy{"dy", inputs[0]}, x{"x", inputs[1]}, gamma{"gamma", inputs[2]}, inv_rms{"inv_rms", inputs[3]};
  check_floating(op.kName, {x, dy, gamma, inv_rms});
  check_rank(op.kName, x, 4);
  const Shape& shape = inputs[1].shape;
  check_shape(op.kName, dy, shape);
  check_channel_vectors(op.kName, shape.channels(), {gamma});
  check_shape(op.kName, inv_rms, rms_shape(shape));
  return {inputs[1], inputs[2]};
}

bool overwrites(const RmsNormGrad&, int input, int output) { return (input == 0 || input == 1) && output == 0; }

}  // namespace fovea
