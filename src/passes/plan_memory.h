// Gives every value a place in one arena before anything runs: values whose lifetimes do not meet share memory, and a node whose operation
// allows it writes over an input that nobody reads afterwards. The first part of a concatenation by channels lies where the whole will be,
// and a leading slice where the whole is, so that neither is copied: of DenseNet's blocks every layer's input is a view of one buffer, and
// so is its gradient.
#pragma once

#include <cstddef>
#include <vector>

#include "ir/device_traits.h"
#include "ir/graph.h"

namespace fovea::passes {

struct Placement {
  static constexpr size_t kNone = static_cast<size_t>(-1);
  size_t offset = kNone;   // bytes from the arena's start; kNone: not in the arena (a state, its next value, a constant, an unread result)
  int64_t row_stride = 0;  // elements between the pixels of a value that is a view of a wider one; 0: dense
};

struct MemoryPlan {
  std::vector<Placement> values;  // by value
  size_t arena_bytes = 0;
  size_t sum_bytes = 0;  // what the same values would take without sharing
};

struct MemoryOptions {
  std::vector<bool> outside;  // by value: has memory of its own elsewhere
  bool share = true;          // false: every value keeps its place to the end, to be looked at
};

MemoryPlan plan_memory(const Graph& graph, const DeviceTraits& device, const MemoryOptions& options);

// The arena of a graph whose states and constants lie elsewhere.
size_t planned_bytes(const Graph& graph, const DeviceTraits& device);

}  // namespace fovea::passes
