// A handle to a value of a graph under construction: what model texts and gradient rules pass around.
#pragma once

#include "ir/graph.h"

namespace fovea {

class Value {
 public:
  Value() = default;
  Value(Graph& graph, ValueId id) : graph_(&graph), id_(id) {}

  bool valid() const { return graph_ != nullptr; }
  Graph& graph() const { return *graph_; }
  ValueId id() const { return id_; }
  const Type& type() const { return graph_->type(id_); }
  const Shape& shape() const { return type().shape; }
  int64_t batch() const { return shape().batch(); }
  int64_t channels() const { return shape().channels(); }
  int64_t height() const { return shape().height(); }
  int64_t width() const { return shape().width(); }

 private:
  Graph* graph_ = nullptr;
  ValueId id_;
};

// Appends a node whose first input's graph is the graph; returns all results.
inline std::vector<Value> emit(Op op, std::span<const Value> inputs, std::string name) {
  Graph& graph = inputs.front().graph();
  std::vector<ValueId> ids;
  for (const Value& input : inputs) ids.push_back(input.id());
  std::vector<Value> results;
  for (ValueId id : graph.add(std::move(op), std::move(ids), std::move(name))) results.emplace_back(graph, id);
  return results;
}

}  // namespace fovea
