// The one copy of a model's parameters, buffers and optimizer moments, shared by every executable of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/layout.h"
#include "ir/graph.h"

namespace fovea::engine {

// Not synchronized: whoever runs executables of one store runs them one at a time, or only such as write no state.
class StateStore {
 public:
  struct Entry {
    Type type;  // as the graphs see it
    std::vector<int64_t> stored_shape;
    StateRole role = StateRole::parameter;
    Tensor memory;  // in the engine's order; aligned

    std::span<const std::byte> content() const { return {static_cast<const std::byte*>(memory.raw()), memory.bytes()}; }
  };

  // `floating`: the type that floating states have here, whatever the graph says.
  explicit StateStore(DType floating = DType::f32) : floating_(floating) {}

  DType floating() const { return floating_; }
  // Makes room for a state that is not there yet: of an optimizer filled with its start, else with zeros. Throws Error(mismatch) where it
  // is, with another shape.
  void declare(const State& state, const Type& type);
  void declare(const Graph& graph);
  void erase(std::string_view name);

  bool has(std::string_view name) const { return entries_.contains(std::string(name)); }
  const Entry& at(std::string_view name) const;  // throws Error(internal)
  // In the checkpoint's shape and order. `set` takes the stored shape alone, converts floating types and throws
  // Error(mismatch) naming both shapes.
  Tensor get(std::string_view name) const;
  Tensor get(std::string_view name, DType floating) const;
  void set(std::string_view name, const Tensor& tensor);
  // Two states of one type change their values.
  void swap(std::string_view a, std::string_view b);

  // Changes whenever a value does: after it, what was made of values (PackedWeights) is stale. Executables that write states say so.
  uint64_t version() const { return version_; }
  void changed() { ++version_; }

  const std::map<std::string, Entry>& entries() const { return entries_; }
  size_t bytes() const;

 private:
  friend class Executable;  // its kernels read and write where the states lie
  void* memory(std::string_view name);

  DType floating_;
  std::map<std::string, Entry> entries_;
  uint64_t version_ = 1;
};

}  // namespace fovea::engine
