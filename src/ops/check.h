// What shape rules check, in one wording. The rules' errors begin with the operation's name; the graph adds the node's.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "base/error.h"
#include "ir/types.h"

namespace fovea {

// One of a rule's inputs, by the name that its documentation gives it.
struct NamedType {
  std::string_view name;
  const Type& type;
};

void check_count(std::string_view op, std::span<const Type> inputs, size_t least, size_t most);
inline void check_count(std::string_view op, std::span<const Type> inputs, size_t count) { check_count(op, inputs, count, count); }

// All floating and of one type, which is returned.
DType check_floating(std::string_view op, std::initializer_list<NamedType> operands);
void check_dtype(std::string_view op, NamedType operand, DType wanted);
void check_rank(std::string_view op, NamedType operand, int rank);
void check_shape(std::string_view op, NamedType operand, const Shape& wanted);
// [1,C,1,1] for each of them.
void check_channel_vectors(std::string_view op, int64_t channels, std::initializer_list<NamedType> operands);
// A dimension of a value of rank 4.
void check_axis(std::string_view op, int64_t axis);

// The result of an operation on one floating value of rank 4 that changes height and width alone.
Types with_size(std::string_view op, std::span<const Type> inputs, std::string_view input, Size2 size);

// Places of a window along one dimension. Throws Error(usage) where the window is larger than the padded size.
struct WindowExtent {
  int64_t size, before, after, kernel, stride;
};
int64_t window_places(std::string_view op, std::string_view dimension, const WindowExtent& extent);
// [height, width] of a result of windows over height x width.
Size2 window_places(std::string_view op, Size2 size, const Padding2& padding, Size2 kernel, Size2 stride);

}  // namespace fovea
