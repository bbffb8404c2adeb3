#include "ops/add.h"

#include "ops/check.h"

namespace fovea {

Shape broadcast(const Shape& a, const Shape& b) {
  if (a.rank() == 0) return b;
  if (b.rank() == 0) return a;
  if (a.rank() != b.rank())
    fail(ErrorKind::mismatch, "{} and {} have {} and {} dimensions", to_string(a), to_string(b), a.rank(), b.rank());
  Shape result = a;
  for (int i = 0; i < a.rank(); ++i) {
    if (a[i] != b[i] && a[i] != 1 && b[i] != 1) fail(ErrorKind::mismatch, "{} and {} do not go together", to_string(a), to_string(b));
    if (a[i] == 1) result[i] = b[i];
  }
  return result;
}

Types infer(const Add& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2);
  const DType dtype = check_floating(op.kName, {{"a", inputs[0]}, {"b", inputs[1]}});
  return {{dtype, in_context(op.kName, [&] { return broadcast(inputs[0].shape, inputs[1].shape); })}};
}

void gradient(const Add&, GradientContext& g) {
  for (int input : {0, 1})
    if (g.needs(input)) g.give(input, g.dy());
}

bool overwrites(const Add&, int, int output) { return output == 0; }

}  // namespace fovea
