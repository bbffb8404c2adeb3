// Shapes and types of values.
#pragma once

#include <fovea/tensor.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace fovea {

// Up to four dimensions, N, C, H, W in logical order. Per-channel vectors are [1,C,1,1], weights of a convolution [O,I/groups,H,W],
// of a linear layer [O,I,1,1]. In memory every value of rank 4 is channels-last: N, H, W, C.
class Shape {
 public:
  static constexpr int max_rank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  explicit Shape(std::span<const int64_t> dims);

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  int64_t& operator[](int i) { return dims_[static_cast<size_t>(i)]; }
  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }
  int64_t elements() const;
  bool operator==(const Shape& other) const = default;

  // These are of rank 4 alone.
  int64_t batch() const { return dims_[0]; }
  int64_t channels() const { return dims_[1]; }
  int64_t height() const { return dims_[2]; }
  int64_t width() const { return dims_[3]; }

 private:
  int rank_ = 0;
  std::array<int64_t, max_rank> dims_{};
};

struct Type {
  DType dtype = DType::f32;
  Shape shape;

  int64_t elements() const { return shape.elements(); }
  size_t bytes() const { return static_cast<size_t>(elements()) * size_of(dtype); }
  bool operator==(const Type&) const = default;
};

using Types = std::vector<Type>;

std::string to_string(const Shape& shape);  // "[2,3,224,224]"
std::string to_string(const Type& type);    // "f32[2,3,224,224]"
// These are inverse to what prints; they throw Error(format).
DType parse_dtype(std::string_view text);
Type parse_type(std::string_view text);

bool is_floating(DType dtype);
bool any_bf16(std::span<const Type> types);
// The type with f32 in place of bf16.
Types widened(std::span<const Type> types);

// Height and width, and the four sides: "SAME" padding is not symmetric.
struct Size2 {
  int64_t height = 1, width = 1;
  bool operator==(const Size2&) const = default;
};
struct Padding2 {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  bool operator==(const Padding2&) const = default;
};

}  // namespace fovea
