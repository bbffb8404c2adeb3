#include "weights/state_dict.h"

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

}  // namespace fovea::weights
