#include "ops/layer_norm.h"

#include "ops/check.h"

namespace fovea {
namespace {

// One number a pixel.
Shape pixel_shape(const Shape& x) { return {x.batch(), 1, x.height(), x.width()}; }

}  // namespace

Types infer(const LayerNorm& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 3);
  const NamedType x{"x", inputs[0]}, gamma{"gamma", inputs[1]}, beta{"beta", inputs[2]};
  const DType dtype = check_floating(op.kName, {x, gamma, beta});
  check_rank(op.kName, x, 4);
  const Shape& shape = inputs[0].shape;
  check_channel_vectors(op.kName, shape.channels(), {gamma, beta});
  return {inputs[0], {dtype, pixel_shape(shape)}, {dtype, pixel_shape(shape)}};
}

void gradient(const LayerNorm&, GradientContext& g) {
  if (!g.dy().valid() || (!g.needs(0) && !g.needs(1) && !g.needs(2))) return;
  const auto gradients = g.emit(LayerNormGrad{}, {g.dy(), g.x(0), g.x(1), g.y(1), g.y(2)});
  for (int input : {0, 1, 2})
    if (g.needs(input)) g.give(input, gradients[static_cast<size_t>(input)]);
}

bool overwrites(const LayerNorm&, int input, int output) { return input == 0 && output == 0; }

Types infer(const LayerNormGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 5);
  const NamedType dy{"dy", inputs[0]}, x{"x", inputs[1]}, gamma{"gamma", inputs[2]}, mean{"mean", inputs[3]}, inv_std{"inv_std", inputs[4]};
  check_floating(op.kName, {x, dy, gamma, mean, inv_std});
  check_rank(op.kName, x, 4);
  const Shape& shape = inputs[1].shape;
  check_shape(op.kName, dy, shape);
  check_channel_vectors(op.kName, shape.channels(), {gamma});
  check_shape(op.kName, mean, pixel_shape(shape));
  check_shape(op.kName, inv_std, pixel_shape(shape));
  return {inputs[1], inputs[2], inputs[2]};
}

bool overwrites(const LayerNormGrad&, int input, int output) { return (input == 0 || input == 1) && output == 0; }

}  // namespace fovea
