// The .safetensors format: a length, a JSON header, the tensors' bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "weights/state_dict.h"

namespace fovea::weights {

// Tensors look into the mapped file where it is aligned. Strict: a header of at most 100 MB, no duplicate names, every byte of the data
// belonging to exactly one tensor. Throws Error(io), Error(format), or Error(unsupported) for element types fovea lacks.
StateDict read_safetensors(const std::filesystem::path& path);
// The same from memory, which `owner` keeps alive for the tensors.
StateDict read_safetensors(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

// The text metadata alone; reads only the header.
std::map<std::string, std::string> read_safetensors_metadata(std::span<const std::byte> bytes);

// Written beside and renamed. The header lists the tensors in the given order; their bytes lie with the largest element type first, each
// aligned to its elements. Throws Error(io), or Error(usage) for a name that the format cannot hold.
void write_safetensors(const std::filesystem::path& path, const StateDict& tensors);
// The same of tensors that are made one by one, each when its bytes are written.
struct LazyTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  std::function<Tensor()> make;

  size_t bytes() const;
};
void write_safetensors(const std::filesystem::path& path, const std::vector<LazyTensor>& tensors,
                       const std::map<std::string, std::string>& metadata);

// Whether the bytes begin as a header does; the rest may still be damaged.
bool is_safetensors(std::span<const std::byte> bytes);

}  // namespace fovea::weights
