#include "ops/broadcast_to.h"

#include "ops/add.h"
#include "ops/check.h"
#include "ops/sum_to.h"

namespace fovea {

Types infer(const BroadcastTo& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}});
  in_context(op.kName, [&] {
    if (!(broadcast(inputs[0].shape, op.shape) == op.shape))
      fail(ErrorKind::mismatch, "{} cannot be repeated to {}", to_string(inputs[0].shape), to_string(op.shape));
  });
  return {{dtype, op.shape}};
}

void gradient(const BroadcastTo& op, GradientContext& g) {
  if (!g.needs(0)) return;
  const Shape shape = g.x(0).shape();  // a copy: emitting moves the table
  Value dx = g.dy();
  if (!(shape == op.shape)) dx = g.emit(SumTo{shape}, {dx})[0];
  if (op.scale != 1) dx = g.emit(BroadcastTo{shape, op.scale}, {dx})[0];
  g.give(0, dx);
}

}  // namespace fovea
