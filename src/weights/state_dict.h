// What a weights file holds: named tensors in the file's order, and its text metadata.
#pragma once

#include <fovea/tensor.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
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
  // What has a name in the file and is no tensor that fovea can use, with what it is: "has elements of type complex64, ...", "is a
  // quantized tensor, ...".
  std::vector<std::pair<std::string, std::string>> unusable;
  // Names of tensors that lie outside the wrapper whose prefix was taken off all others: of a loss, an average's counter, a head.
  std::set<std::string> outside;
  // What a user should know of how the file was read: one line each.
  std::vector<std::string> notes;

 private:
  std::vector<NamedTensor> tensors_;
  std::unordered_map<std::string, size_t> index_;
};

// What wrappers (`module.`, `_orig_mod.`, `model.`, `backbone.`, `net.`, `network.`, one in another) put before most of the names.
std::string wrapper_prefix(const std::vector<std::string_view>& names);
// The prefix taken off the names that have it; `n_averaged`, which torch's AveragedModel puts beside them, is left out.
StateDict without_wrapper_prefix(StateDict tensors);

// The tensors whose names begin with `part` and a dot, without these. Throws Error(usage) that lists the first words of the names.
StateDict part_of(const StateDict& tensors, std::string_view part);

}  // namespace fovea::weights
