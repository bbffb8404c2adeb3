#include "weights/state_dict.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "weights/text.h"

namespace fovea::weights {

void StateDict::add(std::string name, Tensor tensor) {
  if (!index_.emplace(name, tensors_.size()).second) fail(ErrorKind::format, "holds two tensors named {}", in_quotes(name));
  tensors_.push_back({std::move(name), std::move(tensor)});
}

const Tensor* StateDict::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &tensors_[found->second].tensor;
}

const Tensor& StateDict::at(std::string_view name) const {
  const Tensor* tensor = find(name);
  if (!tensor) fail(ErrorKind::mismatch, "there is no tensor {} among {}", in_quotes(name), size());
  return *tensor;
}

std::string wrapper_prefix(const std::vector<std::string_view>& names) {
  constexpr std::array<std::string_view, 4> kPrefixes = {"module.", "_orig_mod.", "model.", "backbone."};
  size_t length = 0;
  for (bool found = !names.empty(); found;) {
    found = false;
    for (std::string_view prefix : kPrefixes) {
      if (!std::all_of(names.begin(), names.end(), [&](std::string_view name) { return name.substr(length).starts_with(prefix); }))
        continue;
      length += prefix.size();
      found = true;
    }
  }
  return names.empty() ? "" : std::string(names[0].substr(0, length));
}

StateDict without_wrapper_prefix(StateDict tensors) {
  std::vector<std::string_view> names;
  for (const NamedTensor& named : tensors) names.push_back(named.name);
  const std::string prefix = wrapper_prefix(names);
  if (prefix.empty()) return tensors;
  StateDict result;
  result.metadata = tensors.metadata;
  for (const NamedTensor& named : tensors) result.add(named.name.substr(prefix.size()), named.tensor);
  return result;
}

}  // namespace fovea::weights
