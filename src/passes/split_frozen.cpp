#include "passes/split_frozen.h"

#include "base/error.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

// By value: whether no step changes it, and whether it follows from the data too.
struct Frozen {
  std::vector<bool> fixed, below;
};

Frozen frozen_values(const Graph& graph, const std::set<std::string>& frozen, const std::set<std::string>& data) {
  Frozen result{std::vector<bool>(graph.value_count()), std::vector<bool>(graph.value_count())};
  for (const NamedValue& input : graph.inputs()) {
    result.fixed[input.value.index] = result.below[input.value.index] = data.contains(input.name);
  }
  for (const State& state : graph.states()) {
    result.fixed[state.value.index] = !state.next.valid() && (state.role == StateRole::buffer || frozen.contains(state.name));
  }
  for (const NodeInfo& node : graph.nodes()) {
    bool all = !node.inputs.empty(), any = false;
    for (ValueId id : node.inputs) {
      all = all && result.fixed[id.index];
      any = any || result.below[id.index];
    }
    for (ValueId id : node.outputs) {
      result.fixed[id.index] = all;
      result.below[id.index] = all && any;
    }
  }
  return result;
}

// One of the two graphs as it grows. What follows from weights alone is copied to wherever it is read.
class Part {
 public:
  Part(const Graph& graph, Graph& target) : graph_(graph), target_(target), mapped_(graph.value_count()) {}

  void set(ValueId id, ValueId target) { mapped_[id.index] = target; }
  ValueId map(ValueId id) {
    if (mapped_[id.index].valid()) return mapped_[id.index];
    if (const State* state = graph_.state_of(id))
      set(id, target_.state(state->name, graph_.type(id), state->role, state->stored_shape, state->init));
    else
      copy(graph_.node(graph_.value(id).producer));
    return mapped_[id.index];
  }
  void copy(const NodeInfo& node) {
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) inputs.push_back(map(id));
    const auto outputs = target_.add(node.op, std::move(inputs), node.name);
    for (size_t k = 0; k < outputs.size(); ++k) set(node.outputs[k], outputs[k]);
  }

 private:
  const Graph& graph_;
  Graph& target_;
  std::vector<ValueId> mapped_;
};

}  // namespace

SplitGraph split_frozen(const Graph& graph, const std::set<std::string>& frozen, const std::set<std::string>& data) {
  const Frozen values = frozen_values(graph, frozen, data);
  const auto is_in = [](const std::vector<bool>& set, const NodeInfo& node) { return !node.outputs.empty() && set[node.outputs[0].index]; };
  const auto in_prefix = [&](const NodeInfo& node) { return is_in(values.below, node); };
  const auto in_suffix = [&](const NodeInfo& node) { return !is_in(values.fixed, node); };

  // Values made in the prefix and read outside of it.
  std::vector<bool> cut(graph.value_count(), false);
  const auto read_outside = [&](ValueId id) { cut[id.index] = values.below[id.index] && graph.value(id).producer.valid(); };
  for (const NodeInfo& node : graph.nodes())
    if (in_suffix(node))
      for (ValueId id : node.inputs) read_outside(id);
  for (const NamedValue& output : graph.outputs()) read_outside(output.value);

  SplitGraph split;
  Part front(graph, split.prefix), back(graph, split.suffix);
  for (const NamedValue& input : graph.inputs()) {
    if (data.contains(input.name)) front.set(input.value, split.prefix.input(input.name, graph.type(input.value)));
  }
  for (const NodeInfo& node : graph.nodes())
    if (in_prefix(node)) front.copy(node);

  for (uint32_t v = 0; v < graph.value_count(); ++v) {
    if (!cut[v]) continue;
    const ValueId id{v};
    const std::string name = fmt::format("cut.{}", split.cuts.size());
    split.cuts.push_back({name, id});
    split.prefix.output(name, front.map(id));
    back.set(id, split.suffix.input(name, graph.type(id)));
  }
  const Uses uses(graph);
  for (const NamedValue& input : graph.inputs()) {
    bool read = uses.other[input.value.index] > 0 || !data.contains(input.name);
    for (NodeId reader : uses.nodes[input.value.index]) read = read || in_suffix(graph.node(reader));
    if (read) back.set(input.value, split.suffix.input(input.name, graph.type(input.value)));
  }
  for (const NodeInfo& node : graph.nodes())
    if (in_suffix(node)) back.copy(node);
  for (const State& state : graph.states()) {
    if (!state.next.valid()) continue;
    back.map(state.value);
    split.suffix.set_next(state.name, back.map(state.next));
  }
  for (const NamedValue& output : graph.outputs()) split.suffix.output(output.name, back.map(output.value));
  return split;
}

}  // namespace fovea::passes
