#include "weights/state_dict.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <unordered_set>

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
  constexpr std::array<std::string_view, 6> kPrefixes = {"module.", "_orig_mod.", "model.", "backbone.", "net.", "network."};
  std::vector<std::string_view> inside = names;
  std::string prefix;
  for (bool found = true; found;) {
    found = false;
    for (std::string_view wrapper : kPrefixes) {
      std::vector<std::string_view> wrapped;
      for (std::string_view name : inside)
        if (name.starts_with(wrapper)) wrapped.push_back(name.substr(wrapper.size()));
      if (2 * wrapped.size() <= inside.size()) continue;
      inside = std::move(wrapped);
      prefix += wrapper;
      found = true;
    }
  }
  return prefix;
}

StateDict without_wrapper_prefix(StateDict tensors) {
  std::vector<std::string_view> names;
  for (const NamedTensor& named : tensors) names.push_back(named.name);
  const std::string prefix = wrapper_prefix(names);
  const auto inner = [&](std::string_view name) { return name.starts_with(prefix) ? name.substr(prefix.size()) : name; };
  std::unordered_set<std::string_view> inside;
  for (std::string_view name : names) inside.insert(inner(name));
  if (prefix.empty() || inside.size() < names.size()) return tensors;  // two names would become one
  constexpr std::string_view kCounter = "n_averaged";
  StateDict result;
  result.metadata = std::move(tensors.metadata);
  result.notes = std::move(tensors.notes);
  for (const NamedTensor& named : tensors) {
    if (!named.name.starts_with(prefix) && named.name == kCounter) continue;
    if (!named.name.starts_with(prefix)) result.outside.insert(named.name);
    result.add(std::string(inner(named.name)), named.tensor);
  }
  for (auto& [name, what] : tensors.unusable) result.unusable.emplace_back(inner(name), std::move(what));
  result.notes.push_back(fmt::format("the names of {} of {} tensors begin with {}, which was taken off",
                                     names.size() - result.outside.size(), names.size(), in_quotes(prefix)));
  return result;
}

StateDict part_of(const StateDict& tensors, std::string_view part) {
  const std::string prefix = std::string(part) + ".";
  StateDict result;
  result.metadata = tensors.metadata;
  result.notes = tensors.notes;
  std::vector<std::string> words;
  for (const NamedTensor& named : tensors) {
    if (named.name.starts_with(prefix)) result.add(named.name.substr(prefix.size()), named.tensor);
    std::string word = in_quotes(std::string_view(named.name).substr(0, named.name.find('.')));
    constexpr size_t kMostWords = 12;
    if (words.size() < kMostWords && std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
  }
  for (const auto& [name, what] : tensors.unusable)
    if (name.starts_with(prefix)) result.unusable.emplace_back(name.substr(prefix.size()), what);
  if (result.empty())
    fail(ErrorKind::usage, "has no part {}; its names begin with {}", in_quotes(part),
         words.empty() ? "nothing" : fmt::format("{}", fmt::join(words, ", ")));
  return result;
}

}  // namespace fovea::weights
