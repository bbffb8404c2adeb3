// Arrays to and from other libraries without a copy, by DLPack (https://dmlc.github.io/dlpack): PyTorch, NumPy, JAX, CuPy, TVM and others
// speak it. Header-only.
//
//   at::Tensor features = at::fromDLPack(fovea::to_dlpack(model.embed(image)));
//   fovea::Tensor answers = model.probabilities(fovea::from_dlpack(at::toDLPack(pictures)));
//
// DLPack's own header is used where it was included before or is found as <dlpack/dlpack.h>; elsewhere its structs are declared here, as
// version 1 has them.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fovea/error.h>
#include <fovea/image.h>
#include <fovea/tensor.h>

#if !defined(DLPACK_DLPACK_H_) && __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
#elif !defined(DLPACK_DLPACK_H_)
#define DLPACK_DLPACK_H_  // the guard of DLPack's header, so that one included later declares nothing twice
#define DLPACK_MAJOR_VERSION 1
#define DLPACK_MINOR_VERSION 0

extern "C" {
enum DLDeviceType : int32_t {
  kDLCPU = 1,
  kDLCUDA = 2,
  kDLCUDAHost = 3,
  kDLOpenCL = 4,
  kDLVulkan = 7,
  kDLMetal = 8,
  kDLVPI = 9,
  kDLROCM = 10,
  kDLROCMHost = 11,
  kDLExtDev = 12,
  kDLCUDAManaged = 13,
  kDLOneAPI = 14,
  kDLWebGPU = 15,
  kDLHexagon = 16,
  kDLMAIA = 17,
};
enum DLDataTypeCode { kDLInt = 0, kDLUInt = 1, kDLFloat = 2, kDLOpaqueHandle = 3, kDLBfloat = 4, kDLComplex = 5, kDLBool = 6 };
struct DLDevice {
  DLDeviceType device_type;
  int32_t device_id;
};
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major and contiguous
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};
}
#endif

namespace fovea {
namespace dlpack_detail {

// What DLPack calls an element type.
inline DLDataType to_dl(DType dtype) {
  const auto bits = static_cast<uint8_t>(8 * size_of(dtype));
  const auto code = dtype == DType::bf16                         ? kDLBfloat
                    : dtype == DType::u8                         ? kDLUInt
                    : dtype == DType::i64 || dtype == DType::i32 ? kDLInt
                                                                 : kDLFloat;
  return {static_cast<uint8_t>(code), bits, 1};
}

inline DType from_dl(DLDataType type) {
  for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i64, DType::i32, DType::u8}) {
    const DLDataType same = to_dl(dtype);
    if (type.lanes == 1 && type.code == same.code && type.bits == same.bits) return dtype;
  }
  constexpr const char* kCodes[] = {"int", "uint", "float", "handle", "bfloat", "complex", "bool"};
  std::string words = type.code < std::size(kCodes) ? kCodes[type.code] : "type " + std::to_string(type.code) + " of ";
  words += std::to_string(type.bits) + (type.lanes == 1 ? "" : " x " + std::to_string(type.lanes));
  throw Error(ErrorKind::unsupported,
              "a DLPack tensor of " + words + "; float16, float32, float64, bfloat16, int32, int64 or uint8 expected");
}

// Whether the elements lie row by row without gaps.
inline bool is_dense(const DLTensor& array) {
  if (!array.strides) return true;
  int64_t expected = 1;
  for (int32_t i = array.ndim - 1; i >= 0; --i) {
    if (array.shape[i] != 1 && array.strides[i] != expected) return false;
    expected *= array.shape[i];
  }
  return true;
}

// The elements below an index of the first axes, in row-major order.
inline char* copy_rows(const DLTensor& array, int32_t axis, const char* from, char* to) {
  const auto bytes = static_cast<int64_t>(array.dtype.bits / 8);
  if (axis == array.ndim) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return to + bytes;
  }
  for (int64_t i = 0; i < array.shape[axis]; ++i) to = copy_rows(array, axis + 1, from + i * array.strides[axis] * bytes, to);
  return to;
}

template <class Owner>
DLManagedTensor* lend(Owner owner, DType dtype, const void* data, std::vector<int64_t> sizes) {
  struct Lent {
    Owner owner;
    std::vector<int64_t> shape, strides;
    DLManagedTensor managed = {};
  };
  auto lent = std::make_unique<Lent>(Lent{std::move(owner), std::move(sizes), {}});
  lent->strides.resize(lent->shape.size());
  int64_t stride = 1;
  for (size_t i = lent->shape.size(); i-- > 0; stride *= lent->shape[i]) lent->strides[i] = stride;
  DLTensor& array = lent->managed.dl_tensor;
  array.data = const_cast<void*>(data);
  array.device = {kDLCPU, 0};
  array.ndim = static_cast<int32_t>(lent->shape.size());
  array.dtype = to_dl(dtype);
  array.shape = lent->shape.data();
  array.strides = lent->strides.data();
  lent->managed.manager_ctx = lent.get();
  lent->managed.deleter = [](DLManagedTensor* self) { delete static_cast<Lent*>(self->manager_ctx); };
  return &lent.release()->managed;
}

}  // namespace dlpack_detail

// The tensor's memory, lent: it lives until the other side calls the deleter, whatever becomes of the Tensor, and what either writes both
// see. Memory that is only to be read (a file's, mapped) is copied. Throws Error(usage) for a tensor of no memory.
inline DLManagedTensor* to_dlpack(const Tensor& tensor) {
  if (tensor.empty()) throw Error(ErrorKind::usage, "a tensor without memory has nothing to lend to DLPack");
  const Tensor lent = tensor.writable() ? tensor : tensor.clone();
  const void* const data = lent.raw();
  return dlpack_detail::lend(lent, lent.dtype(), data, lent.shape());
}

// The picture as uint8 [height, width, channels]; its pixels are moved.
inline DLManagedTensor* to_dlpack(Image image) {
  const std::vector<int64_t> shape{image.height, image.width, image.channels};
  if (image.pixels.empty()) throw Error(ErrorKind::usage, "an image without pixels has nothing to lend to DLPack");
  auto pixels = std::make_shared<const std::vector<uint8_t>>(std::move(image.pixels));
  const void* const data = pixels->data();
  return dlpack_detail::lend(std::move(pixels), DType::u8, data, shape);
}

// A tensor of that memory, which is only read and given back with the last copy of the Tensor. Memory with gaps, or in another order, is
// copied and given back at once. Where it throws, `managed` is still the caller's. Throws Error: usage for a null pointer, unsupported for
// memory of another device than the CPU, or an element type that Tensor does not have.
inline Tensor from_dlpack(DLManagedTensor* managed) {
  if (!managed) throw Error(ErrorKind::usage, "no DLPack tensor: a null pointer");
  const DLTensor& array = managed->dl_tensor;
  if (array.device.device_type != kDLCPU && array.device.device_type != kDLCUDAHost && array.device.device_type != kDLROCMHost)
    throw Error(ErrorKind::unsupported, "a DLPack tensor in the memory of device type " + std::to_string(array.device.device_type) +
                                            ", the CPU's (1) expected: copy it there first");
  const DType dtype = dlpack_detail::from_dl(array.dtype);
  std::vector<int64_t> shape(array.shape, array.shape + array.ndim);
  const char* const data = static_cast<const char*>(array.data) + array.byte_offset;
  Tensor copy;
  const bool dense = dlpack_detail::is_dense(array), aligned = reinterpret_cast<uintptr_t>(data) % size_of(dtype) == 0;
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  if (!dense || !aligned || elements == 0) {
    copy = Tensor(dtype, shape);
    if (elements > 0 && dense) std::memcpy(copy.mutable_raw(), data, copy.bytes());
    if (elements > 0 && !dense) dlpack_detail::copy_rows(array, 0, data, static_cast<char*>(copy.mutable_raw()));
  }
  const auto give_back = [](DLManagedTensor* one) {
    if (one->deleter) one->deleter(one);
  };
  if (!copy.empty() || elements == 0) {
    give_back(managed);
    return copy;
  }
  // Made empty first: where the count's own memory cannot be had, nothing is given back.
  auto owner = std::make_shared<std::unique_ptr<DLManagedTensor, void (*)(DLManagedTensor*)>>(nullptr, give_back);
  Tensor result = Tensor::wrap(dtype, std::move(shape), owner, data);
  owner->reset(managed);
  return result;
}

// A picture of uint8 [height, width, channels] or [height, width], copied; its channels are told by `order`, or, without one, by their
// number: 1 grey, 3 RGB, 4 RGBA. Throws as from_dlpack does, and Error(mismatch) for another shape or type.
inline Image image_from_dlpack(DLManagedTensor* managed, Alpha alpha = Alpha::white) {
  if (!managed) throw Error(ErrorKind::usage, "no DLPack tensor: a null pointer");
  const DLTensor& array = managed->dl_tensor;
  const std::vector<int64_t> shape(array.shape, array.shape + array.ndim);
  const int64_t channels = shape.size() == 3 ? shape[2] : 1;
  const bool picture = shape.size() == 2 || (shape.size() == 3 && (channels == 1 || channels == 3 || channels == 4));
  if (!picture || array.dtype.code != kDLUInt || array.dtype.bits != 8)
    throw Error(ErrorKind::mismatch, "a DLPack tensor " + shape_string(shape) + " of " + std::to_string(array.dtype.bits) +
                                         " bits, a picture is uint8 [height,width,channels] of 1, 3 or 4 channels");
  const Tensor pixels = from_dlpack(managed);
  const PixelOrder order = channels == 1 ? PixelOrder::grey : channels == 3 ? PixelOrder::rgb : PixelOrder::rgba;
  return image_from_memory(pixels.values<uint8_t>().data(), shape[1], shape[0], 0, order, alpha);
}

}  // namespace fovea
