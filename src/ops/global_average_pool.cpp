#include "ops/global_average_pool.h"

#include "ops/broadcast_to.h"
#include "ops/check.h"

namespace fovea {

Types infer(const GlobalAveragePool& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}});
  check_rank(op.kName, {"x", inputs[0]}, 4);
  return {{dtype, {inputs[0].shape.batch(), inputs[0].shape.channels(), 1, 1}}};
}

void gradient(const GlobalAveragePool&, GradientContext& g) {
  if (!g.needs(0)) return;
  const Shape shape = g.x(0).shape();  // a copy: emitting moves the table
  g.give(0, g.emit(BroadcastTo{shape, 1.0 / static_cast<double>(shape.height() * shape.width())}, {g.dy()})[0]);
}

}  // namespace fovea
