#include "ir/types.h"

#include <algorithm>

#include <charconv>

#include "base/error.h"

namespace fovea {

Shape::Shape(std::initializer_list<int64_t> dims) : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const int64_t> dims) {
  if (dims.size() > max_rank)
    fail(ErrorKind::unsupported, "shape {} has {} dimensions, at most {}", shape_string(dims), dims.size(), max_rank);
  for (int64_t dim : dims) dims_[static_cast<size_t>(rank_++)] = dim;
}

int64_t Shape::elements() const {
  int64_t count = 1;
  for (int64_t dim : dims()) count *= dim;
  return count;
}

std::string to_string(const Shape& shape) { return shape_string(shape.dims()); }
std::string to_string(const Type& type) { return to_string(type.dtype) + to_string(type.shape); }

DType parse_dtype(std::string_view text) {
  for (DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i64, DType::i32, DType::u8})
    if (text == to_string(dtype)) return dtype;
  fail(ErrorKind::format, "'{}' is no element type", text);
}

Type parse_type(std::string_view text) {
  const size_t bracket = text.find('[');
  if (bracket == std::string_view::npos || text.back() != ']') fail(ErrorKind::format, "'{}' is no type such as f32[1,3]", text);
  std::vector<int64_t> dims;
  const char* next = text.data() + bracket + 1;
  const char* end = text.data() + text.size() - 1;
  while (next < end) {
    int64_t dim = 0;
    const auto [stop, code] = std::from_chars(next, end, dim);
    if (code != std::errc() || (stop < end && *stop != ',')) fail(ErrorKind::format, "'{}' is no type such as f32[1,3]", text);
    dims.push_back(dim);
    next = stop + 1;
  }
  return {parse_dtype(text.substr(0, bracket)), Shape(dims)};
}

bool is_floating(DType dtype) { return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16; }

bool any_bf16(std::span<const Type> types) {
  return std::ranges::any_of(types, [](const Type& type) { return type.dtype == DType::bf16; });
}

Types widened(std::span<const Type> types) {
  Types result(types.begin(), types.end());
  for (Type& type : result)
    if (type.dtype == DType::bf16) type.dtype = DType::f32;
  return result;
}

}  // namespace fovea
