#include "ops/batch_norm.h"

#include "ops/add.h"
#include "ops/check.h"

namespace fovea {
namespace {

// (x, gamma, beta, mean, var, ...): checks the first five.
void check_operands(std::string_view op, std::span<const Type> inputs) {
  const NamedType x{"x", inputs[0]}, gamma{"gamma", inputs[1]}, beta{"beta", inputs[2]}, mean{"mean", inputs[3]}, var{"var", inputs[4]};
  check_floating(op, {x, gamma, beta, mean, var});
  check_rank(op, x, 4);
  check_channel_vectors(op, inputs[0].shape.channels(), {gamma, beta, mean, var});
}

// (dy, x, gamma, mean, spread, ...): checks the first five.
void check_grad_operands(std::string_view op, std::span<const Type> inputs, std::string_view spread_name) {
  const NamedType dy{"dy", inputs[0]}, x{"x", inputs[1]}, gamma{"gamma", inputs[2]}, mean{"mean", inputs[3]},
      spread{spread_name, inputs[4]};
  check_floating(op, {dy, x, gamma, mean, spread});
  check_rank(op, x, 4);
  check_shape(op, dy, inputs[1].shape);
  check_channel_vectors(op, inputs[1].shape.channels(), {gamma, mean, spread});
}

Type affine_type(const Type& x) { return {x.dtype, {2, x.shape.channels(), 1, 1}}; }

}  // namespace

Types infer(const BatchNorm& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 5);
  check_operands(op.kName, inputs);
  return {inputs[0]};
}

Types infer(const BatchNormInference& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 5);
  check_operands(op.kName, inputs);
  return {inputs[0]};
}

void gradient(const BatchNormInference& op, GradientContext& g) {
  if (!g.needs(0) && !g.needs(1) && !g.needs(2)) return;
  const auto gradients = g.emit(BatchNormInferenceGrad{op.eps}, {g.dy(), g.x(0), g.x(1), g.x(3), g.x(4)});
  for (int input : {0, 1, 2})
    if (g.needs(input)) g.give(input, gradients[static_cast<size_t>(input)]);
}

bool overwrites(const BatchNormInference&, int input, int output) { return input == 0 && output == 0; }

Types infer(const BatchNormInferenceGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 5);
  check_grad_operands(op.kName, inputs, "var");
  return {inputs[1], inputs[2], inputs[2]};
}

Types infer(const BatchNormTraining& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, op.residual ? 6 : 5);
  check_operands(op.kName, inputs);
  const Shape& shape = inputs[0].shape;
  if (shape.batch() * shape.height() * shape.width() < 2)
    fail(ErrorKind::usage, "{}: x {} has one value a channel, training needs two or more", op.kName, to_string(shape));
  if (op.residual) {
    check_floating(op.kName, {{"x", inputs[0]}, {"residual", inputs[5]}});
    check_shape(op.kName, {"residual", inputs[5]}, shape);
  }
  Types results{inputs[0], inputs[1], inputs[1], inputs[3], inputs[4]};
  if (op.with_affine) results.push_back(affine_type(inputs[0]));
  return results;
}

void gradient(const BatchNormTraining& op, GradientContext& g) {
  // The statistics are results too, but nothing differentiates by them: torch's carry no gradient either.
  if (!g.dy().valid() || (!g.needs(0) && !g.needs(1) && !g.needs(2))) return;
  if (op.residual || op.activation != ActivationKind::identity || op.with_affine)
    fail(ErrorKind::internal, "{}: a fused one ({}) was differentiated", op.kName, print_fields(op));
  const auto gradients = g.emit(BatchNormTrainingGrad{op.eps}, {g.dy(), g.x(0), g.x(1), g.y(1), g.y(2)});
  for (int input : {0, 1, 2})
    if (g.needs(input)) g.give(input, gradients[static_cast<size_t>(input)]);
}

bool overwrites(const BatchNormTraining&, int input, int output) { return input == output && (input == 3 || input == 4); }

std::vector<Value> compose(const BatchNormTraining& op, std::span<const Value> inputs, const std::string& name) {
  std::vector<Value> results =
      emit(BatchNormTraining{op.eps, op.momentum, false, ActivationKind::identity, op.with_affine}, inputs.first(5), name);
  if (op.residual) results[0] = emit(Add{}, std::vector<Value>{results[0], inputs[5]}, name)[0];
  if (op.activation != ActivationKind::identity) results[0] = emit(Activation{op.activation}, std::vector<Value>{results[0]}, name)[0];
  return results;
}

Types infer(const BatchNormApply& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, op.residual ? 4 : 3);
  const NamedType x{"x", inputs[0]}, mean{"mean", inputs[1]}, affine{"affine", inputs[2]};
  check_floating(op.kName, {x, mean, affine});
  check_rank(op.kName, x, 4);
  check_channel_vectors(op.kName, inputs[0].shape.channels(), {mean});
  check_shape(op.kName, affine, affine_type(inputs[0]).shape);
  if (op.residual) {
    check_floating(op.kName, {x, {"residual", inputs[3]}});
    check_shape(op.kName, {"residual", inputs[3]}, inputs[0].shape);
  }
  return {inputs[0]};
}

bool overwrites(const BatchNormApply&, int input, int output) { return output == 0 && (input == 0 || input == 3); }

Types infer(const BatchNormTrainingGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 5 + size_t{op.with_beta} + size_t{op.residual});
  check_grad_operands(op.kName, inputs, "inv_std");
  if (op.residual && op.activation != ActivationKind::relu && op.activation != ActivationKind::relu6)
    fail(ErrorKind::usage, "{}: activation {} with a residual, only relu and relu6 are found again from y", op.kName,
         print_field(op.activation));
  if (op.with_beta != (!op.residual && op.activation != ActivationKind::identity))
    fail(ErrorKind::usage, "{}: with_beta {} for activation {} {} a residual", op.kName, op.with_beta, print_field(op.activation),
         op.residual ? "with" : "without");
  if (op.with_beta) {
    check_floating(op.kName, {{"x", inputs[1]}, {"beta", inputs[5]}});
    check_channel_vectors(op.kName, inputs[1].shape.channels(), {{"beta", inputs[5]}});
  }
  if (op.residual) {
    check_floating(op.kName, {{"x", inputs[1]}, {"y", inputs.back()}});
    check_shape(op.kName, {"y", inputs.back()}, inputs[1].shape);
  }
  Types results{inputs[1], inputs[2], inputs[2]};
  if (op.residual) results.push_back(inputs[1]);
  return results;
}

bool overwrites(const BatchNormTrainingGrad&, int input, int output) { return input == 0 && (output == 0 || output == 3); }

Types infer(const BatchNormAffine& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 3);
  const NamedType gamma{"gamma", inputs[0]}, beta{"beta", inputs[1]}, var{"var", inputs[2]};
  check_floating(op.kName, {gamma, beta, var});
  check_rank(op.kName, gamma, 4);
  check_channel_vectors(op.kName, inputs[0].shape.channels(), {gamma, beta, var});
  return {affine_type(inputs[0])};
}

Types infer(const FoldBatchNorm& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 5, 6);
  const NamedType w{"w", inputs[0]}, gamma{"gamma", inputs[1]}, beta{"beta", inputs[2]}, mean{"mean", inputs[3]}, var{"var", inputs[4]};
  const DType dtype = check_floating(op.kName, {w, gamma, beta, mean, var, {"bias", inputs.back()}});
  check_rank(op.kName, w, 4);
  const int64_t channels = inputs[0].shape[0];
  check_channel_vectors(op.kName, channels, {gamma, beta, mean, var});
  if (inputs.size() == 6) check_channel_vectors(op.kName, channels, {{"bias", inputs[5]}});
  return {inputs[0], {dtype, {1, channels, 1, 1}}};
}

}  // namespace fovea
