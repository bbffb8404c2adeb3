// Gives every value a place in one arena before anything runs: values whose lifetimes do not meet share memory, and a node whose operation
// allows it writes over an input that nobody reads afterwards.
#pragma once

#include <cstddef>
#include <vector>

#include "ir/graph.h"

namespace fovea::passes {

struct Placement {
  static constexpr size_t kNone = static_cast<size_t>(-1);
  size_t offset = kNone;  // bytes from the arena's start; kNone: not in the arena (a state, its next value, a constant, an unread result)
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

MemoryPlan plan_memory(const Graph& graph, const MemoryOptions& options);

// The arena of a graph whose states and constants lie elsewhere.
size_t planned_bytes(const Graph& graph);

}  // namespace fovea::passes
