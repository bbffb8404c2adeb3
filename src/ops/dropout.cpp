#include "ops/dropout.h"

#include "ops/check.h"

namespace fovea {
namespace {

// At 1 everything is dropped and the scale 1 / (1 - probability) has no value.
void check_probability(std::string_view op, double probability) {
  if (!(probability >= 0 && probability < 1)) fail(ErrorKind::usage, "{}: probability {}, from 0 to below 1", op, probability);
}

}  // namespace

Types infer(const Dropout& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  check_floating(op.kName, {{"x", inputs[0]}});
  check_probability(op.kName, op.probability);
  return {inputs[0]};
}

Types infer(const RandomMask& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 3);
  check_floating(op.kName, {{"x", inputs[0]}});
  if (op.per_sample) check_rank(op.kName, {"x", inputs[0]}, 4);
  check_probability(op.kName, op.probability);
  for (NamedType scalar : {NamedType{"seed", inputs[1]}, NamedType{"step", inputs[2]}}) {
    check_dtype(op.kName, scalar, DType::i64);
    check_rank(op.kName, scalar, 0);
  }
  return {inputs[0]};
}

void gradient(const RandomMask& op, GradientContext& g) {
  if (g.needs(0)) g.give(0, g.emit(op, {g.dy(), g.x(1), g.x(2)})[0]);
}

bool overwrites(const RandomMask&, int input, int output) { return input == 0 && output == 0; }

}  // namespace fovea
