// What a weights file holds: named tensors in the file's order, and its text metadata.
#pragma once

#include <fovea/tensor.h>

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fovea::weights {

// Of a tensor that a file of any format may hold.
inline constexpr size_t kMostDimensions = 8;

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

class StateDict {
 public:
  // Throws Error(format) for a second tensor of the same name.
  void add(std::string name, Tensor tensor);
  // Null where there is none.
  const Tensor* find(std::string_view name) const;
  // Throws Error(mismatch) naming what is missing.
  const Tensor& at(std::string_view name) const;

  size_t size() const { return tensors_.size(); }
  bool empty() const { return tensors_.empty(); }
  const NamedTensor& operator[](size_t i) const { return tensors_[i]; }
  auto begin() const { return tensors_.begin(); }
  auto end() const { return tensors_.end(); }

  std::map<std::string, std::string> metadata;

 private:
  std::vector<NamedTensor> tensors_;
  std::unordered_map<std::string, size_t> index_;
};

// What wrappers (`module.`, `_orig_mod.`, `model.`, `backbone.`, one in another) put before every one of the names.
std::string wrapper_prefix(const std::vector<std::string_view>& names);
StateDict without_wrapper_prefix(StateDict tensors);

}  // namespace fovea::weights
