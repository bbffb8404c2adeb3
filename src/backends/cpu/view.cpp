#include "backends/cpu/view.h"

namespace fovea::cpu {

View view_of(const Operand& operand) {
  const Shape& shape = operand.type.shape;
  View view;
  if (shape.rank() == 4) {
    view.dims = {shape.batch(), shape.height(), shape.width(), shape.channels()};
    const int64_t pixel = operand.row_stride;
    view.strides = {shape.height() * shape.width() * pixel, shape.width() * pixel, pixel, 1};
    return view;
  }
  const auto first = static_cast<size_t>(4 - shape.rank());
  int64_t stride = 1;
  for (size_t d = 4; d-- > first;) {
    view.dims[d] = shape[static_cast<int>(d - first)];
    view.strides[d] = stride;
    stride *= view.dims[d];
  }
  return view;
}

bool stretch(View& view, const std::array<int64_t, 4>& dims) {
  for (size_t d = 0; d < 4; ++d) {
    if (view.dims[d] == dims[d]) continue;
    if (view.dims[d] != 1) return false;
    view.dims[d] = dims[d];
    view.strides[d] = 0;
  }
  return true;
}

}  // namespace fovea::cpu
