#include "weights/materialize.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/memory.h"

namespace fovea::weights {
namespace {

struct Extent {
  int64_t elements = 1;
  int64_t last = 0;  // the highest element touched, counted from the tensor's first
};

Extent extent_of(const PickledTensor& tensor) {
  Extent extent;
  for (int64_t dim : tensor.shape) {
    if (__builtin_mul_overflow(extent.elements, dim, &extent.elements))
      fail(ErrorKind::format, "shape {} overflows", shape_string(tensor.shape));
  }
  if (extent.elements == 0) return extent;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    int64_t reach = 0;
    if (__builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &reach) ||
        __builtin_add_overflow(extent.last, reach, &extent.last)) {
      fail(ErrorKind::format, "shape {} with strides {} overflows", shape_string(tensor.shape), shape_string(tensor.strides));
    }
  }
  return extent;
}

bool is_contiguous(const PickledTensor& tensor) {
  int64_t expected = 1;
  for (size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
    expected *= tensor.shape[i];
  }
  return true;
}

struct Axis {
  int64_t size, from, to;  // strides in elements
};

// The axes that matter, outermost first, in the order of the result.
std::vector<Axis> axes_of(const PickledTensor& tensor) {
  std::vector<Axis> axes;
  int64_t stride = 1;
  for (size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1) axes.insert(axes.begin(), {tensor.shape[i], tensor.strides[i], stride});
    stride *= tensor.shape[i];
  }
  if (axes.empty()) axes.push_back({1, 1, 1});
  return axes;
}

// A transposed matrix in tiles that stay in the first cache: published weights converted from other layouts are mostly that.
template <size_t kBytes>
void gather_matrix(const Axis& rows, const Axis& columns, const std::byte* from, std::byte* to) {
  constexpr int64_t kTile = 32;
  for (int64_t r0 = 0; r0 < rows.size; r0 += kTile) {
    for (int64_t c0 = 0; c0 < columns.size; c0 += kTile) {
      for (int64_t r = r0; r < std::min(rows.size, r0 + kTile); ++r) {
        for (int64_t c = c0; c < std::min(columns.size, c0 + kTile); ++c) {
          std::memcpy(to + static_cast<size_t>(r * rows.to + c * columns.to) * kBytes,
                      from + static_cast<size_t>(r * rows.from + c * columns.from) * kBytes, kBytes);
        }
      }
    }
  }
}

template <size_t kBytes>
void gather(const PickledTensor& tensor, const std::byte* from, std::byte* to) {
  std::vector<Axis> axes = axes_of(tensor);
  const Axis columns = axes.back();  // dense in the result
  axes.pop_back();
  Axis rows{1, 0, 0};  // dense in the storage, as far as one is
  if (!axes.empty()) {
    const auto densest = std::min_element(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.from < b.from; });
    rows = *densest;
    axes.erase(densest);
  }
  std::vector<int64_t> index(axes.size(), 0);
  int64_t source = 0, target = 0;
  for (bool more = true; more;) {
    gather_matrix<kBytes>(rows, columns, from + static_cast<size_t>(source) * kBytes, to + static_cast<size_t>(target) * kBytes);
    more = false;
    for (size_t d = axes.size(); d-- > 0 && !more;) {
      source += axes[d].from;
      target += axes[d].to;
      more = ++index[d] < axes[d].size;
      if (more) break;
      source -= axes[d].from * axes[d].size;
      target -= axes[d].to * axes[d].size;
      index[d] = 0;
    }
  }
}

Tensor copy_strided(const PickledTensor& tensor, const std::byte* from, int64_t elements, DType dtype) {
  const size_t bytes = static_cast<size_t>(elements) * size_of(dtype);
  auto memory = aligned_memory(bytes);
  switch (size_of(dtype)) {
    case 8:
      gather<8>(tensor, from, memory.get());
      break;
    case 4:
      gather<4>(tensor, from, memory.get());
      break;
    case 2:
      gather<2>(tensor, from, memory.get());
      break;
    default:
      gather<1>(tensor, from, memory.get());
      break;
  }
  const void* data = memory.get();
  return Tensor::wrap(dtype, tensor.shape, std::move(memory), data);
}

}  // namespace

void CopyBudget::take(size_t bytes) {
  if (bytes > left()) {
    fail(ErrorKind::format, "its tensors would take more than {} bytes, which a file of {} bytes does not justify", limit_, file_bytes_);
  }
  used_ += bytes;
}

StorageBytes aligned(StorageBytes storage, size_t alignment, CopyBudget& budget) {
  if (reinterpret_cast<uintptr_t>(storage.bytes.data()) % alignment == 0) return storage;
  budget.take(storage.bytes.size());
  auto memory = aligned_memory(storage.bytes.size());
  std::memcpy(memory.get(), storage.bytes.data(), storage.bytes.size());
  const std::span<const std::byte> copy(memory.get(), storage.bytes.size());
  return {copy, std::move(memory)};
}

Tensor materialize(const PickledTensor& tensor, const PickledStorage& layout, const StorageBytes& storage, CopyBudget& budget) {
  if (!tensor.type->dtype) fail(ErrorKind::unsupported, "has elements of type {}, which fovea does not know", tensor.type->name);
  const bool widened = tensor.type->float8 != Float8::none;
  const DType dtype = widened ? DType::u8 : *tensor.type->dtype;
  const auto result = [&](Tensor taken) {
    if (!widened) return taken;
    budget.take(static_cast<size_t>(taken.size()) * size_of(DType::f32));
    return float8_values(tensor.type->float8, tensor.shape, {static_cast<const std::byte*>(taken.raw()), taken.bytes()});
  };
  const Extent extent = extent_of(tensor);
  if (extent.elements == 0) {
    alignas(64) static constexpr std::byte kNothing[8] = {};
    return Tensor::wrap(*tensor.type->dtype, tensor.shape, nullptr, kNothing);
  }
  // In elements of the tensor, which are the storage's own unless the storage is of bytes.
  const int64_t scale = tensor.type->bytes / layout.type->bytes;
  if (scale == 0 || scale * layout.type->bytes != tensor.type->bytes) {
    fail(ErrorKind::format, "is of type {} in a storage of {}", tensor.type->name, layout.type->name);
  }
  const int64_t first_byte = layout.view_first * layout.type->bytes, there = layout.view_elements / scale;
  if (tensor.first > there || extent.last >= there - tensor.first) {
    fail(ErrorKind::format, "points outside its storage: shape {} with strides {} from element {} on, the storage '{}' has {}",
         shape_string(tensor.shape), shape_string(tensor.strides), tensor.first, layout.key, there);
  }
  const std::byte* data = storage.bytes.data() + first_byte + tensor.first * tensor.type->bytes;
  const bool usable = reinterpret_cast<uintptr_t>(data) % size_of(dtype) == 0;
  if (usable && is_contiguous(tensor)) return result(Tensor::wrap(dtype, tensor.shape, storage.owner, data));
  if (extent.elements > (int64_t{1} << 60)) fail(ErrorKind::format, "shape {} overflows", shape_string(tensor.shape));
  budget.take(static_cast<size_t>(extent.elements) * size_of(dtype));
  return result(copy_strided(tensor, data, extent.elements, dtype));
}

}  // namespace fovea::weights
