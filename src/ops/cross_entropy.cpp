#include "ops/cross_entropy.h"

#include "ops/check.h"

namespace fovea {
namespace {

void check_logits(std::string_view op, NamedType logits, const Type& labels, double smoothing) {
  check_rank(op, logits, 4);
  const Shape& shape = logits.type.shape;
  check_shape(op, logits, {shape.batch(), shape.channels(), 1, 1});
  check_dtype(op, {"labels", labels}, DType::i32);
  if (!(labels.shape == Shape{shape.batch()}))
    fail(ErrorKind::mismatch, "{}: labels {} for {} {}", op, to_string(labels.shape), logits.name, to_string(shape));
  if (!(smoothing >= 0 && smoothing <= 1)) fail(ErrorKind::usage, "{}: smoothing {}, from 0 to 1", op, smoothing);
}

}  // namespace

Types infer(const CrossEntropy& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2);
  const DType dtype = check_floating(op.kName, {{"logits", inputs[0]}});
  check_logits(op.kName, {"logits", inputs[0]}, inputs[1], op.smoothing);
  return {{dtype, {}}, inputs[0]};
}

void gradient(const CrossEntropy& op, GradientContext& g) {
  if (g.needs(0) && g.dy().valid()) g.give(0, g.emit(CrossEntropyGrad{op.smoothing}, {g.dy(), g.y(1), g.x(1)})[0]);
}

Types infer(const CrossEntropyGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 3);
  check_floating(op.kName, {{"dloss", inputs[0]}, {"probabilities", inputs[1]}});
  check_rank(op.kName, {"dloss", inputs[0]}, 0);
  check_logits(op.kName, {"probabilities", inputs[1]}, inputs[2], op.smoothing);
  return {inputs[1]};
}

}  // namespace fovea
