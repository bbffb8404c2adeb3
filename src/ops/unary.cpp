#include "ops/unary.h"

#include "ops/activation.h"
#include "ops/broadcast_to.h"
#include "ops/check.h"
#include "ops/multiply.h"

namespace fovea {

std::span<const char* const> names_of(UnaryKind) {
  static constexpr const char* names[] = {"exp", "log", "softplus"};
  return names;
}

Types infer(const Unary& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  check_floating(op.kName, {{"x", inputs[0]}});
  return {inputs[0]};
}

void gradient(const Unary& op, GradientContext& g) {
  if (!g.needs(0)) return;
  Value slope;
  switch (op.kind) {
    case UnaryKind::exp:
      slope = g.y();
      break;
    case UnaryKind::log:  // 1 / x = exp(-y)
      slope = g.emit(Unary{UnaryKind::exp}, {g.emit(BroadcastTo{g.y().shape(), -1}, {g.y()})[0]})[0];
      break;
    case UnaryKind::softplus:
      slope = g.emit(Activation{ActivationKind::sigmoid}, {g.x(0)})[0];
      break;
  }
  g.give(0, g.emit(Multiply{}, {g.dy(), slope})[0]);
}

bool overwrites(const Unary&, int input, int output) { return input == 0 && output == 0; }

}  // namespace fovea
