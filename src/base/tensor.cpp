#include <fovea/tensor.h>

#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/float_formats.h"
#include "base/memory.h"

namespace fovea {
namespace {

int64_t checked_size(DType dtype, std::span<const int64_t> shape) {
  int64_t size = 1;
  for (int64_t dim : shape) {
    if (dim < 0) fail(ErrorKind::usage, "shape {} has a negative dimension", shape_string(shape));
    if (__builtin_mul_overflow(size, dim, &size)) fail(ErrorKind::usage, "shape {} overflows", shape_string(shape));
  }
  int64_t bytes = 0;
  if (__builtin_mul_overflow(size, static_cast<int64_t>(size_of(dtype)), &bytes))
    fail(ErrorKind::usage, "shape {} overflows", shape_string(shape));
  return size;
}

double load(DType dtype, const void* data, int64_t i) {
  switch (dtype) {
    case DType::f32:
      return static_cast<const float*>(data)[i];
    case DType::f64:
      return static_cast<const double*>(data)[i];
    case DType::f16:
      return half_to_float(static_cast<const uint16_t*>(data)[i]);
    case DType::bf16:
      return bfloat16_to_float(static_cast<const uint16_t*>(data)[i]);
    case DType::i64:
      return static_cast<double>(static_cast<const int64_t*>(data)[i]);
    case DType::i32:
      return static_cast<const int32_t*>(data)[i];
    case DType::u8:
      return static_cast<const uint8_t*>(data)[i];
  }
  return 0;
}

void store(DType dtype, void* data, int64_t i, double value) {
  switch (dtype) {
    case DType::f32:
      static_cast<float*>(data)[i] = static_cast<float>(value);
      break;
    case DType::f64:
      static_cast<double*>(data)[i] = value;
      break;
    case DType::f16:
      static_cast<uint16_t*>(data)[i] = float_to_half(static_cast<float>(value));
      break;
    case DType::bf16:
      static_cast<uint16_t*>(data)[i] = float_to_bfloat16(static_cast<float>(value));
      break;
    case DType::i64:
      static_cast<int64_t*>(data)[i] = static_cast<int64_t>(value);
      break;
    case DType::i32:
      static_cast<int32_t*>(data)[i] = static_cast<int32_t>(value);
      break;
    case DType::u8:
      static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(value);
      break;
  }
}

}  // namespace

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
  }
  return 0;
}

const char* to_string(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::i64:
      return "i64";
    case DType::i32:
      return "i32";
    case DType::u8:
      return "u8";
  }
  return "?";
}

std::string shape_string(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

Tensor::Tensor(DType dtype, std::vector<int64_t> shape)
    : dtype_(dtype), writable_(true), shape_(std::move(shape)), size_(checked_size(dtype, shape_)) {
  owner_ = zeroed_memory(bytes());
  data_ = owner_.get();
}

Tensor Tensor::wrap(DType dtype, std::vector<int64_t> shape, std::shared_ptr<const void> owner, const void* data) {
  Tensor result;
  result.dtype_ = dtype;
  result.shape_ = std::move(shape);
  result.size_ = checked_size(dtype, result.shape_);
  result.owner_ = std::move(owner);
  result.data_ = data;
  return result;
}

void* Tensor::mutable_raw() & {
  if (!writable_ && data_) fail(ErrorKind::internal, "a tensor of read-only memory was written to");
  return const_cast<void*>(data_);
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return clone();
  Tensor result(dtype, shape_);
  for (int64_t i = 0; i < size_; ++i) store(dtype, result.mutable_raw(), i, load(dtype_, data_, i));
  return result;
}

Tensor Tensor::clone() const {
  Tensor result(dtype_, shape_);
  if (size_ > 0) std::memcpy(result.mutable_raw(), data_, bytes());
  return result;
}

Tensor Tensor::reshaped(std::vector<int64_t> shape) const {
  if (checked_size(dtype_, shape) != size_) fail(ErrorKind::mismatch, "{} cannot be seen as {}", shape_string(shape_), shape_string(shape));
  Tensor result = *this;
  result.shape_ = std::move(shape);
  return result;
}

void Tensor::check_dtype(DType expected) const {
  if (expected != dtype_) fail(ErrorKind::mismatch, "a tensor of {} was read as {}", to_string(dtype_), to_string(expected));
}

}  // namespace fovea
