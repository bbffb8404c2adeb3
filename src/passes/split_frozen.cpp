#include "passes/split_frozen.h"

#include "base/error.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

// By value: whether it belongs to the prefix.
std::vector<bool> frozen_values(const Graph& graph, const std::set<std::string>& frozen, const std::set<std::string>& data) {
  std::vector<bool> result(graph.value_count(), false);
  for (const NamedValue& input : graph.inputs()) result[input.value.index] = data.contains(input.name);
  for (const State& state : graph.states()) {
    result[state.value.index] = !state.next.valid() && (state.role == StateRole::buffer || frozen.contains(state.name));
  }
  for (const NodeInfo& node : graph.nodes()) {
    bool all = !node.inputs.empty();
    for (ValueId id : node.inputs) all = all && result[id.index];
    for (ValueId id : node.outputs) result[id.index] = all;
  }
  return result;
}

void copy_state(Graph& target, std::vector<ValueId>& mapped, const Graph& graph, ValueId id) {
  const State* state = graph.state_of(id);
  if (!state || mapped[id.index].valid()) return;
  mapped[id.index] = target.state(state->name, graph.type(id), state->role, state->stored_shape, state->init);
}

void copy_node(Graph& target, std::vector<ValueId>& mapped, const Graph& graph, const NodeInfo& node) {
  std::vector<ValueId> inputs;
  for (ValueId id : node.inputs) {
    copy_state(target, mapped, graph, id);
    inputs.push_back(mapped[id.index]);
  }
  const auto outputs = target.add(node.op, std::move(inputs), node.name);
  for (size_t k = 0; k < outputs.size(); ++k) mapped[node.outputs[k].index] = outputs[k];
}

}  // namespace

SplitGraph split_frozen(const Graph& graph, const std::set<std::string>& frozen, const std::set<std::string>& data) {
  const auto below = frozen_values(graph, frozen, data);
  const auto in_prefix = [&](const NodeInfo& node) { return !node.outputs.empty() && below[node.outputs[0].index]; };

  // Values made in the prefix and read outside of it.
  std::vector<bool> cut(graph.value_count(), false);
  const auto read_outside = [&](ValueId id) { cut[id.index] = below[id.index] && graph.value(id).producer.valid(); };
  for (const NodeInfo& node : graph.nodes())
    if (!in_prefix(node))
      for (ValueId id : node.inputs) read_outside(id);
  for (const NamedValue& output : graph.outputs()) read_outside(output.value);

  SplitGraph split;
  std::vector<ValueId> front(graph.value_count()), back(graph.value_count());
  for (const NamedValue& input : graph.inputs()) {
    if (data.contains(input.name)) front[input.value.index] = split.prefix.input(input.name, graph.type(input.value));
  }
  for (const NodeInfo& node : graph.nodes())
    if (in_prefix(node)) copy_node(split.prefix, front, graph, node);

  for (uint32_t v = 0; v < graph.value_count(); ++v) {
    if (!cut[v]) continue;
    const std::string name = fmt::format("cut.{}", split.cuts.size());
    split.cuts.push_back({name, ValueId{v}});
    split.prefix.output(name, front[v]);
    back[v] = split.suffix.input(name, graph.type(ValueId{v}));
  }
  const Uses uses(graph);
  for (const NamedValue& input : graph.inputs()) {
    bool read = uses.other[input.value.index] > 0 || !data.contains(input.name);
    for (NodeId reader : uses.nodes[input.value.index]) read = read || !in_prefix(graph.node(reader));
    if (read) back[input.value.index] = split.suffix.input(input.name, graph.type(input.value));
  }
  for (const NodeInfo& node : graph.nodes())
    if (!in_prefix(node)) copy_node(split.suffix, back, graph, node);
  for (const State& state : graph.states()) {
    if (!state.next.valid()) continue;
    copy_state(split.suffix, back, graph, state.value);
    split.suffix.set_next(state.name, back[state.next.index]);
  }
  for (const NamedValue& output : graph.outputs()) split.suffix.output(output.name, back[output.value.index]);
  return split;
}

}  // namespace fovea::passes
