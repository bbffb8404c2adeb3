// What a gradient rule sees. A rule is asked only for what is needed, and what it asks for by x() or y() is what is kept in memory.
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include "ir/value.h"

namespace fovea {

class GradientContext {
 public:
  GradientContext(Graph& graph, NodeId node, std::vector<bool> needed, std::vector<Value> output_gradients)
      : graph_(graph), node_(node), needed_(std::move(needed)), output_gradients_(std::move(output_gradients)), given_(needed_.size()) {}

  bool needs(int input) const { return needed_[static_cast<size_t>(input)]; }
  size_t input_count() const { return needed_.size(); }
  Value x(int input) const { return {graph_, graph_.node(node_).inputs[static_cast<size_t>(input)]}; }
  Value y(int result = 0) const { return {graph_, graph_.node(node_).outputs[static_cast<size_t>(result)]}; }
  // The gradient by a result; !valid() where none flows into it.
  Value dy(int result = 0) const { return output_gradients_[static_cast<size_t>(result)]; }

  std::vector<Value> emit(Op op, std::initializer_list<Value> inputs) const { return emit(std::move(op), std::vector<Value>(inputs)); }
  std::vector<Value> emit(Op op, const std::vector<Value>& inputs) const {
    return fovea::emit(std::move(op), inputs, "grad:" + graph_.node(node_).name);
  }
  // Each input once. A gradient larger than its input (the input was broadcast) is summed by the walk, not by the rule.
  void give(int input, Value gradient) { given_[static_cast<size_t>(input)] = gradient; }

  const std::vector<Value>& given() const { return given_; }

 private:
  Graph& graph_;
  NodeId node_;
  std::vector<bool> needed_;
  std::vector<Value> output_gradients_;
  std::vector<Value> given_;
};

}  // namespace fovea
