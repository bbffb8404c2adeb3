#include "ops/group_norm.h"

#include "ops/check.h"

namespace fovea {
namespace {

// One number a picture and group.
Shape group_shape(std::string_view op, const Shape& x, int64_t groups) {
  if (groups < 1) fail(ErrorKind::usage, "{}: {} groups, at least 1", op, groups);
  if (x.channels() % groups != 0) fail(ErrorKind::mismatch, "{}: {} channels of x are no multiple of {} groups", op, x.channels(), groups);
  return {x.batch(), groups, 1, 1};
}

}  // namespace

Types infer(const GroupNorm& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 3);
  const NamedType x{"x", inputs[0]}, gamma{"gamma", inputs[1]}, beta{"beta", inputs[2]};
  const DType dtype = check_floating(op.kName, {x, gamma, beta});
  check_rank(op.kName, x, 4);
  const Shape& shape = inputs[0].shape;
  const Shape statistics = group_shape(op.kName, shape, op.groups);
  check_channel_vectors(op.kName, shape.channels(), {gamma, beta});
  return {inputs[0], {dtype, statistics}, {dtype, statistics}};
}

void gradient(const GroupNorm& op, GradientContext& g) {
  if (!g.dy().valid() || (!g.needs(0) && !g.needs(1) && !g.needs(2))) return;
  const auto gradients = g.emit(GroupNormGrad{op.groups}, {g.dy(), g.x(0), g.x(1), g.y(1), g.y(2)});
  for (int input : {0, 1, 2})
    if (g.needs(input)) g.give(input, gradients[static_cast<size_t>(input)]);
}

bool overwrites(const GroupNorm&, int input, int output) { return input == 0 && output == 0; }

Types infer(const GroupNormGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 5);
  const NamedType dy{"dy", inputs[0]}, x{"x", inputs[1]}, gamma{"gamma", inputs[2]}, mean{"mean", inputs[3]}, inv_std{"inv_std", inputs[4]};
  check_floating(op.kName, {x, dy, gamma, mean, inv_std});
  check_rank(op.kName, x, 4);
  const Shape& shape = inputs[1].shape;
  const Shape statistics = group_shape(op.kName, shape, op.groups);
  check_shape(op.kName, dy, shape);
  check_channel_vectors(op.kName, shape.channels(), {gamma});
  check_shape(op.kName, mean, statistics);
  check_shape(op.kName, inv_std, statistics);
  return {inputs[1], inputs[2], inputs[2]};
}

bool overwrites(const GroupNormGrad&, int input, int output) { return (input == 0 || input == 1) && output == 0; }

}  // namespace fovea
