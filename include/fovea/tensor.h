// A dense array on the host: what goes into and comes out of fovea.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fovea/api.h>

namespace fovea {

enum class DType : uint8_t { f32, f64, f16, bf16, i64, i32, u8 };

// Bytes of one element.
FOVEA_API size_t size_of(DType dtype);
// "f32", "i64", ...
FOVEA_API const char* to_string(DType dtype);

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::f64;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::i64;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::i32;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::u8;
}

// Row-major and contiguous; the memory is 64-byte aligned and shared by copies (copying a Tensor copies no data).
class FOVEA_API Tensor {
 public:
  Tensor() = default;
  // Zero-filled. Throws Error(usage) where the shape has a negative dimension or overflows.
  Tensor(DType dtype, std::vector<int64_t> shape);
  // Wraps memory that `owner` keeps alive (a mapped file, say). The bytes are only ever read through the result's const access.
  static Tensor wrap(DType dtype, std::vector<int64_t> shape, std::shared_ptr<const void> owner, const void* data);

  bool empty() const { return data_ == nullptr; }
  DType dtype() const { return dtype_; }
  const std::vector<int64_t>& shape() const& { return shape_; }
  std::vector<int64_t> shape() && { return std::move(shape_); }
  int64_t size() const { return size_; }  // elements
  size_t bytes() const { return static_cast<size_t>(size_) * size_of(dtype_); }
  // What points into a tensor's memory is not to be had of a temporary, with which the memory goes: give the tensor a name first.
  const void* raw() const& { return data_; }
  const void* raw() const&& = delete;
  bool writable() const { return writable_; }
  // Throws Error(internal) for memory that was wrapped read-only.
  void* mutable_raw() &;
  void* mutable_raw() && = delete;

  // Typed access; throws Error(mismatch) where T is not the tensor's type.
  template <class T>
  std::span<const T> values() const& {
    check_dtype(dtype_of<T>());
    return {static_cast<const T*>(data_), static_cast<size_t>(size_)};
  }
  template <class T>
  std::span<const T> values() const&& = delete;
  template <class T>
  std::span<T> mutable_values() && = delete;
  template <class T>
  std::span<T> mutable_values() & {
    check_dtype(dtype_of<T>());
    return {static_cast<T*>(mutable_raw()), static_cast<size_t>(size_)};
  }

  // A copy converted to another type; f16, bf16 and f32 convert exactly or round to nearest even.
  Tensor to(DType dtype) const;
  Tensor clone() const;
  // The same memory under another shape of the same size.
  Tensor reshaped(std::vector<int64_t> shape) const;

 private:
  void check_dtype(DType expected) const;

  DType dtype_ = DType::f32;
  bool writable_ = false;
  std::vector<int64_t> shape_;
  int64_t size_ = 0;
  std::shared_ptr<const void> owner_;
  const void* data_ = nullptr;
};

// "[64,3,7,7]"
FOVEA_API std::string shape_string(std::span<const int64_t> shape);

}  // namespace fovea
