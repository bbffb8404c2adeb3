#include "ops/log_softmax.h"

#include "ops/add.h"
#include "ops/broadcast_to.h"
#include "ops/check.h"
#include "ops/multiply.h"
#include "ops/sum_to.h"
#include "ops/unary.h"

namespace fovea {

Types infer(const LogSoftmax& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  check_floating(op.kName, {{"x", inputs[0]}});
  check_rank(op.kName, {"x", inputs[0]}, 4);
  return {inputs[0]};
}

// dx = dy - softmax(x) (sum over K of dy)
void gradient(const LogSoftmax&, GradientContext& g) {
  if (!g.needs(0)) return;
  const Shape& shape = g.y().shape();
  const Value sum = g.emit(SumTo{{shape.batch(), 1, shape.height(), shape.width()}}, {g.dy()})[0];
  const Value share = g.emit(Multiply{}, {g.emit(Unary{UnaryKind::exp}, {g.y()})[0], sum})[0];
  g.give(0, g.emit(Add{}, {g.dy(), g.emit(BroadcastTo{shape, -1}, {share})[0]})[0]);
}

}  // namespace fovea
