// Makes a dense tensor of a pickled one (storage, offset, shape, strides).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "weights/pickle.h"

namespace fovea::weights {

// Bounds what copying may allocate by the size of the file, so that a few bytes cannot ask for gigabytes.
class CopyBudget {
 public:
  explicit CopyBudget(size_t file_bytes) : file_bytes_(file_bytes), limit_(4 * file_bytes + (size_t{16} << 20)) {}
  // Throws Error(format).
  void take(size_t bytes);
  size_t left() const { return limit_ - used_; }

 private:
  size_t file_bytes_, limit_, used_ = 0;
};

// A storage's bytes and what keeps them alive.
struct StorageBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

// The same bytes, copied where they do not lie on a multiple of `alignment`.
StorageBytes aligned(StorageBytes storage, size_t alignment, CopyBudget& budget);

// Wraps the storage where the tensor is contiguous, copies it together where it is not. `storage` holds exactly the bytes of the whole
// storage. Throws Error(format) for what reaches outside and Error(unsupported) for an element type fovea lacks.
Tensor materialize(const PickledTensor& tensor, const PickledStorage& layout, const StorageBytes& storage, CopyBudget& budget);

}  // namespace fovea::weights
