// The one copy of a model's parameters, buffers and optimizer moments, shared by every executable of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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
  void* memory(std::string_view name);
  // In the checkpoint's shape and order. `set` takes the stored shape alone, converts floating types and throws
  // Error(mismatch) naming both shapes.
  Tensor get(std::string_view name) const;
  Tensor get(std::string_view name, DType floating) const;
  void set(std::string_view name, const Tensor& tensor);

  // Changes whenever a value does: after it, what was made of values (PackedWeights) is stale. Whoever writes to `memory` says so.
  uint64_t version() const { return version_; }
  void changed() { ++version_; }

  const std::map<std::string, Entry>& entries() const { return entries_; }
  size_t bytes() const;

 private:
  DType floating_;
  std::map<std::string, Entry> entries_;
  uint64_t version_ = 1;
};

}  // namespace fovea::engine
