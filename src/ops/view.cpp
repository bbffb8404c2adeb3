#include "ops/view.h"

#include <algorithm>

#include "ops/check.h"

namespace fovea {

Types infer(const View& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  const DType dtype = check_floating(op.kName, {{"x", inputs[0]}});
  const bool sized = std::all_of(op.shape.dims().begin(), op.shape.dims().end(), [](int64_t size) { return size >= 1; });
  if (!sized || op.shape.elements() != inputs[0].elements())
    fail(ErrorKind::mismatch, "{}: {} has {} elements, as {} it would have {}", op.kName, to_string(inputs[0].shape), inputs[0].elements(),
         to_string(op.shape), op.shape.elements());
  return {{dtype, op.shape}};
}

void gradient(const View&, GradientContext& g) {
  if (!g.needs(0)) return;
  const Shape shape = g.x(0).shape();  // a copy: emitting moves the table
  g.give(0, g.emit(View{shape}, {g.dy()})[0]);
}

bool overwrites(const View&, int input, int output) { return input == 0 && output == 0; }

}  // namespace fovea
