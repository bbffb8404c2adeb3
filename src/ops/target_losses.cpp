#include "ops/target_losses.h"

#include "ops/check.h"

namespace fovea {
namespace {

// logits, targets and perhaps class weights, from `inputs[first]` on.
template <class Loss>
void check_operands(const Loss& op, std::span<const Type> inputs, size_t first) {
  const NamedType logits{"logits", inputs[first]}, targets{"targets", inputs[first + 1]};
  check_floating(op.kName, {logits, targets});
  check_rank(op.kName, logits, 4);
  const Shape& shape = logits.type.shape;
  check_shape(op.kName, logits, {shape.batch(), shape.channels(), 1, 1});
  check_shape(op.kName, targets, shape);
  if (inputs.size() > first + 2) {
    const NamedType weights{"class weights", inputs[first + 2]};
    check_floating(op.kName, {logits, weights});
    check_channel_vectors(op.kName, shape.channels(), {weights});
  }
  if (!(op.smoothing >= 0 && op.smoothing <= 1)) fail(ErrorKind::usage, "{}: smoothing {}, from 0 to 1", op.kName, op.smoothing);
  if (!(op.gamma >= 0)) fail(ErrorKind::usage, "{}: gamma {}, 0 or more", op.kName, op.gamma);
}

template <class Loss>
Types infer_loss(const Loss& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2, 3);
  check_operands(op, inputs, 0);
  return {{inputs[0].dtype, {}}};
}

template <class Grad>
Types infer_grad(const Grad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 3, 4);
  check_floating(op.kName, {{"dloss", inputs[0]}, {"logits", inputs[1]}});
  check_rank(op.kName, {"dloss", inputs[0]}, 0);
  check_operands(op, inputs, 1);
  return {inputs[1]};
}

template <class Grad>
void give_gradient(const Grad& grad, GradientContext& g) {
  if (!g.needs(0)) return;
  std::vector<Value> inputs{g.dy()};
  for (size_t i = 0; i < g.input_count(); ++i) inputs.push_back(g.x(static_cast<int>(i)));
  g.give(0, g.emit(grad, inputs)[0]);
}

}  // namespace

Types infer(const SoftCrossEntropy& op, std::span<const Type> inputs) { return infer_loss(op, inputs); }
Types infer(const SoftCrossEntropyGrad& op, std::span<const Type> inputs) { return infer_grad(op, inputs); }
void gradient(const SoftCrossEntropy& op, GradientContext& g) {
  give_gradient(SoftCrossEntropyGrad{op.smoothing, op.gamma, op.weighted_mean}, g);
}

Types infer(const BinaryCrossEntropy& op, std::span<const Type> inputs) { return infer_loss(op, inputs); }
Types infer(const BinaryCrossEntropyGrad& op, std::span<const Type> inputs) { return infer_grad(op, inputs); }
void gradient(const BinaryCrossEntropy& op, GradientContext& g) { give_gradient(BinaryCrossEntropyGrad{op.smoothing, op.gamma}, g); }

}  // namespace fovea
