// Copying a graph with changes: every pass takes a graph and returns a graph.
#pragma once

#include <vector>

#include "ir/graph.h"

namespace fovea::passes {

// Starts with the source's inputs and states; nodes are copied, replaced or left out in order; `finish` adds outputs and next states.
class Rewrite {
 public:
  explicit Rewrite(const Graph& source);

  const Graph& source() const { return source_; }
  Graph& target() { return target_; }
  // Where a value of the source went. Throws Error(internal) where it was left out.
  ValueId map(ValueId old) const;
  std::vector<ValueId> map(const std::vector<ValueId>& old) const;
  bool has(ValueId old) const { return mapped_[old.index].valid(); }
  void set(ValueId old, ValueId target) { mapped_[old.index] = target; }
  // Copies a node, reading what its inputs became.
  void copy(NodeId node);
  void copy(NodeId node, Op op);  // with another operation of the same results
  Graph finish();

 private:
  const Graph& source_;
  Graph target_;
  std::vector<ValueId> mapped_;
};

// The nodes that read each value; an output or a next state counts as one more use.
struct Uses {
  std::vector<std::vector<NodeId>> nodes;  // by value
  std::vector<int> other;                  // outputs and next states
  explicit Uses(const Graph& graph);
  // The only reader, or an invalid id.
  NodeId sole(ValueId value) const;
};

// Whether each value is known once weights are: states that are never written, and whatever follows from them alone.
std::vector<bool> constant_values(const Graph& graph);

}  // namespace fovea::passes
