#include "ops/check.h"

namespace fovea {

void check_count(std::string_view op, std::span<const Type> inputs, size_t least, size_t most) {
  if (inputs.size() >= least && inputs.size() <= most) return;
  if (least == most) fail(ErrorKind::usage, "{}: {} inputs, it takes {}", op, inputs.size(), least);
  fail(ErrorKind::usage, "{}: {} inputs, it takes {} to {}", op, inputs.size(), least, most);
}

DType check_floating(std::string_view op, std::initializer_list<NamedType> operands) {
  const NamedType& first = *operands.begin();
  for (const NamedType& operand : operands) {
    if (!is_floating(operand.type.dtype))
      fail(ErrorKind::mismatch, "{}: {} is {}, a floating type is wanted", op, operand.name, to_string(operand.type));
    if (operand.type.dtype != first.type.dtype)
      fail(ErrorKind::mismatch, "{}: {} is {}, {} is {}", op, operand.name, to_string(operand.type), first.name, to_string(first.type));
  }
  return first.type.dtype;
}

void check_dtype(std::string_view op, NamedType operand, DType wanted) {
  if (operand.type.dtype != wanted)
    fail(ErrorKind::mismatch, "{}: {} is {}, {} is wanted", op, operand.name, to_string(operand.type), to_string(wanted));
}

void check_rank(std::string_view op, NamedType operand, int rank) {
  if (operand.type.shape.rank() != rank)
    fail(ErrorKind::mismatch, "{}: {} {} has {} dimensions, {} are wanted", op, operand.name, to_string(operand.type.shape),
         operand.type.shape.rank(), rank);
}

void check_shape(std::string_view op, NamedType operand, const Shape& wanted) {
  if (!(operand.type.shape == wanted))
    fail(ErrorKind::mismatch, "{}: {} is {}, {} is wanted", op, operand.name, to_string(operand.type.shape), to_string(wanted));
}

void check_channel_vectors(std::string_view op, int64_t channels, std::initializer_list<NamedType> operands) {
  for (const NamedType& operand : operands) check_shape(op, operand, {1, channels, 1, 1});
}

void check_axis(std::string_view op, int64_t axis) {
  if (axis < 0 || axis > 3) fail(ErrorKind::usage, "{}: axis {}, 0 to 3 are possible", op, axis);
}

Types with_size(std::string_view op, std::span<const Type> inputs, std::string_view input, Size2 size) {
  check_count(op, inputs, 1);
  const DType dtype = check_floating(op, {{input, inputs[0]}});
  check_rank(op, {input, inputs[0]}, 4);
  if (size.height < 1 || size.width < 1) fail(ErrorKind::usage, "{}: size {}x{}, at least 1x1", op, size.height, size.width);
  return {{dtype, {inputs[0].shape.batch(), inputs[0].shape.channels(), size.height, size.width}}};
}

int64_t window_places(std::string_view op, std::string_view dimension, const WindowExtent& extent) {
  const auto& [size, before, after, kernel, stride] = extent;
  if (kernel < 1) fail(ErrorKind::usage, "{}: kernel {} along the {}, at least 1", op, kernel, dimension);
  if (stride < 1) fail(ErrorKind::usage, "{}: stride {} along the {}, at least 1", op, stride, dimension);
  if (before < 0 || after < 0) fail(ErrorKind::usage, "{}: padding {} and {} along the {}, at least 0", op, before, after, dimension);
  if (size + before + after < kernel)
    fail(ErrorKind::usage, "{}: kernel {} on a {} of {} with padding {} and {}", op, kernel, dimension, size, before, after);
  return (size + before + after - kernel) / stride + 1;
}

Size2 window_places(std::string_view op, Size2 size, const Padding2& padding, Size2 kernel, Size2 stride) {
  return {window_places(op, "height", {size.height, padding.top, padding.bottom, kernel.height, stride.height}),
          window_places(op, "width", {size.width, padding.left, padding.right, kernel.width, stride.width})};
}

}  // namespace fovea
