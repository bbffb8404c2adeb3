#include "passes/rewrite.h"

#include "base/error.h"

namespace fovea::passes {

Rewrite::Rewrite(const Graph& source) : source_(source), mapped_(source.value_count()) {
  for (const NamedValue& input : source.inputs()) set(input.value, target_.input(input.name, source.type(input.value)));
  for (const State& state : source.states()) {
    set(state.value, target_.state(state.name, source.type(state.value), state.role, state.stored_shape, state.init));
  }
}

ValueId Rewrite::map(ValueId old) const {
  const ValueId result = mapped_[old.index];
  if (!result.valid()) fail(ErrorKind::internal, "a pass dropped %{}, which is still read", old.index);
  return result;
}

std::vector<ValueId> Rewrite::map(const std::vector<ValueId>& old) const {
  std::vector<ValueId> result;
  for (ValueId id : old) result.push_back(map(id));
  return result;
}

void Rewrite::copy(NodeId node) { copy(node, source_.node(node).op); }

void Rewrite::copy(NodeId id, Op op) {
  const NodeInfo& node = source_.node(id);
  const auto outputs = target_.add(std::move(op), map(node.inputs), node.name);
  for (size_t k = 0; k < node.outputs.size(); ++k) set(node.outputs[k], outputs[k]);
}

Graph Rewrite::finish() {
  for (const State& state : source_.states())
    if (state.next.valid()) target_.set_next(state.name, map(state.next));
  for (const NamedValue& output : source_.outputs()) target_.output(output.name, map(output.value));
  return std::move(target_);
}

Uses::Uses(const Graph& graph) : nodes(graph.value_count()), other(graph.value_count(), 0) {
  for (uint32_t n = 0; n < graph.node_count(); ++n)
    for (ValueId id : graph.node(NodeId{n}).inputs) nodes[id.index].push_back(NodeId{n});
  for (const NamedValue& output : graph.outputs()) ++other[output.value.index];
  for (const State& state : graph.states())
    if (state.next.valid()) ++other[state.next.index];
}

NodeId Uses::sole(ValueId value) const {
  return nodes[value.index].size() == 1 && other[value.index] == 0 ? nodes[value.index][0] : NodeId{};
}

std::vector<bool> constant_values(const Graph& graph) {
  std::vector<bool> constant(graph.value_count(), false);
  for (const State& state : graph.states()) constant[state.value.index] = !state.next.valid();
  for (const NodeInfo& node : graph.nodes()) {
    bool all = true;
    for (ValueId id : node.inputs) all = all && constant[id.index];
    for (ValueId id : node.outputs) constant[id.index] = all;
  }
  return constant;
}

}  // namespace fovea::passes
