#include "ops/sum_to.h"

#include "ops/add.h"
#include "ops/broadcast_to.h"
#include "ops/check.h"

namespace fovea {

Types infer(const SumTo& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}});
  in_context(op.kName, [&] {
    if (!(broadcast(inputs[0].shape, op.shape) == inputs[0].shape))
      fail(ErrorKind::mismatch, "{} cannot be summed to {}", to_string(inputs[0].shape), to_string(op.shape));
  });
  return {{dtype, op.shape}};
}

void gradient(const SumTo&, GradientContext& g) {
  if (g.needs(0)) g.give(0, g.emit(BroadcastTo{g.x(0).shape(), 1}, {g.dy()})[0]);
}

}  // namespace fovea
