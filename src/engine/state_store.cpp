#include "engine/state_store.h"

#include <algorithm>

#include "base/error.h"

namespace fovea::engine {

void StateStore::declare(const State& state, const Type& type) {
  Type own = type;
  if (is_floating(own.dtype)) own.dtype = floating_;
  const auto found = entries_.find(state.name);
  if (found == entries_.end()) {
    Tensor memory(own.dtype, std::vector<int64_t>(own.shape.dims().begin(), own.shape.dims().end()));
    if (state.role == StateRole::optimizer && state.init.value != 0) {
      if (own.dtype == DType::f32) std::ranges::fill(memory.mutable_values<float>(), static_cast<float>(state.init.value));
      if (own.dtype == DType::f64) std::ranges::fill(memory.mutable_values<double>(), state.init.value);
    }
    entries_.emplace(state.name, Entry{own, state.stored_shape, state.role, std::move(memory)});
  } else if (!(found->second.type == own)) {
    fail(ErrorKind::mismatch, "{}: {} in the graph, {} in the store", state.name, to_string(own), to_string(found->second.type));
  }
}

void StateStore::declare(const Graph& graph) {
  for (const State& state : graph.states()) declare(state, graph.type(state.value));
}

void StateStore::erase(std::string_view name) {
  entries_.erase(std::string(name));
  changed();
}

const StateStore::Entry& StateStore::at(std::string_view name) const {
  const auto found = entries_.find(std::string(name));
  if (found == entries_.end()) fail(ErrorKind::internal, "there is no state '{}'", name);
  return found->second;
}

void* StateStore::memory(std::string_view name) {
  at(name);
  return entries_.find(std::string(name))->second.memory.mutable_raw();
}

Tensor StateStore::get(std::string_view name) const { return get(name, floating_); }

Tensor StateStore::get(std::string_view name, DType floating) const {
  const Entry& entry = at(name);
  return read_memory(entry.memory.raw(), entry.type, entry.stored_shape, floating);
}

void StateStore::set(std::string_view name, const Tensor& tensor) {
  at(name);
  Entry& entry = entries_.find(std::string(name))->second;
  if (tensor.shape() != entry.stored_shape) {
    fail(ErrorKind::mismatch, "{}: shape {} given, {} in the model", name, shape_string(tensor.shape()), shape_string(entry.stored_shape));
  }
  in_context(name, [&] { write_memory(tensor, entry.type, entry.memory.mutable_raw()); });
  changed();
}

void StateStore::swap(std::string_view a, std::string_view b) {
  if (!(at(a).type == at(b).type)) fail(ErrorKind::internal, "{} and {} are not of one type", a, b);
  auto* const first = static_cast<std::byte*>(memory(a));
  std::swap_ranges(first, first + at(a).memory.bytes(), static_cast<std::byte*>(memory(b)));
  changed();
}

size_t StateStore::bytes() const {
  size_t sum = 0;
  for (const auto& [name, entry] : entries_) sum += entry.memory.bytes();
  return sum;
}

}  // namespace fovea::engine
