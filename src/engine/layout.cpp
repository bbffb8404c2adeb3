#include "engine/layout.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/parallel.h"

namespace fovea::engine {
namespace {

// Calls body(logical index, memory index), of several pictures on all cores.
template <class Body>
void for_each_element(const Shape& shape, Body&& body) {
  if (shape.rank() != 4) {
    for (int64_t i = 0; i < shape.elements(); ++i) body(i, i);
    return;
  }
  const int64_t planes = shape.channels(), pixels = shape.height() * shape.width();
  constexpr int64_t kFew = 8;          // planes that are gone through side by side, as those of pictures
  constexpr int64_t kGrain = 1 << 18;  // elements that a core takes at least
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, planes * pixels));
  parallel_for(shape.batch(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t first = n * planes * pixels;
      if (planes <= kFew)
        for (int64_t p = 0; p < pixels; ++p)
          for (int64_t c = 0; c < planes; ++c) body(first + c * pixels + p, first + p * planes + c);
      else
        for (int64_t c = 0; c < planes; ++c)
          for (int64_t p = 0; p < pixels; ++p) body(first + c * pixels + p, first + p * planes + c);
    }
  });
}

template <class From, class To>
void copy_in(const Tensor& tensor, const Shape& shape, void* memory) {
  const From* from = static_cast<const From*>(tensor.raw());
  To* to = static_cast<To*>(memory);
  for_each_element(shape, [&](int64_t logical, int64_t physical) { to[physical] = static_cast<To>(from[logical]); });
}

template <class From, class To>
void copy_out(const void* memory, const Shape& shape, Tensor& tensor) {
  const From* from = static_cast<const From*>(memory);
  To* to = static_cast<To*>(tensor.mutable_raw());
  for_each_element(shape, [&](int64_t logical, int64_t physical) { to[logical] = static_cast<To>(from[physical]); });
}

}  // namespace

void write_memory(const Tensor& tensor, const Type& type, void* memory) {
  if (tensor.size() != type.elements()) {
    fail(ErrorKind::mismatch, "a tensor of shape {} for {}", shape_string(tensor.shape()), to_string(type));
  }
  const DType from = tensor.dtype(), to = type.dtype;
  if (is_floating(from) != is_floating(to)) fail(ErrorKind::mismatch, "a tensor of {} for {}", to_string(from), to_string(type));
  if (is_floating(from) && from != DType::f32 && from != DType::f64) return write_memory(tensor.to(DType::f32), type, memory);
  if (from == DType::f32 && to == DType::f32) return copy_in<float, float>(tensor, type.shape, memory);
  if (from == DType::f32 && to == DType::f64) return copy_in<float, double>(tensor, type.shape, memory);
  if (from == DType::f64 && to == DType::f32) return copy_in<double, float>(tensor, type.shape, memory);
  if (from == DType::f64 && to == DType::f64) return copy_in<double, double>(tensor, type.shape, memory);
  if (from == DType::i64 && to == DType::i64) return copy_in<int64_t, int64_t>(tensor, type.shape, memory);
  if (from == DType::i32 && to == DType::i32) return copy_in<int32_t, int32_t>(tensor, type.shape, memory);
  fail(ErrorKind::unsupported, "a tensor of {} for {}", to_string(from), to_string(type));
}

Tensor read_memory(const void* memory, const Type& type, std::vector<int64_t> shape, DType dtype) {
  Tensor tensor(is_floating(type.dtype) ? dtype : type.dtype, std::move(shape));
  if (tensor.size() != type.elements()) {
    fail(ErrorKind::mismatch, "{} read as a tensor of shape {}", to_string(type), shape_string(tensor.shape()));
  }
  const DType from = type.dtype, to = tensor.dtype();
  if (from == DType::f32 && to == DType::f32)
    copy_out<float, float>(memory, type.shape, tensor);
  else if (from == DType::f32 && to == DType::f64)
    copy_out<float, double>(memory, type.shape, tensor);
  else if (from == DType::f64 && to == DType::f32)
    copy_out<double, float>(memory, type.shape, tensor);
  else if (from == DType::f64 && to == DType::f64)
    copy_out<double, double>(memory, type.shape, tensor);
  else if (from == DType::i64)
    copy_out<int64_t, int64_t>(memory, type.shape, tensor);
  else if (from == DType::i32)
    copy_out<int32_t, int32_t>(memory, type.shape, tensor);
  else
    fail(ErrorKind::unsupported, "{} read as {}", to_string(type), to_string(to));
  return tensor;
}

}  // namespace fovea::engine
