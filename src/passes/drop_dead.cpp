#include "passes/drop_dead.h"

#include <algorithm>

#include "base/error.h"

namespace fovea::passes {
namespace {

Graph copy_live(const Graph& graph, std::span<const NamedValue> outputs, bool with_next) {
  std::vector<bool> live(graph.value_count(), false);
  for (const NamedValue& output : outputs) live[output.value.index] = true;
  for (const State& state : graph.states())
    if (with_next && state.next.valid()) live[state.next.index] = live[state.value.index] = true;
  std::vector<bool> keep(graph.node_count(), false);
  for (uint32_t n = static_cast<uint32_t>(graph.node_count()); n-- > 0;) {
    const NodeInfo& node = graph.node(NodeId{n});
    for (ValueId id : node.outputs) keep[n] = keep[n] || live[id.index];
    if (keep[n])
      for (ValueId id : node.inputs) live[id.index] = true;
  }

  Graph result;
  std::vector<ValueId> mapped(graph.value_count());
  for (const NamedValue& input : graph.inputs()) mapped[input.value.index] = result.input(input.name, graph.type(input.value));
  for (const State& state : graph.states()) {
    if (live[state.value.index]) {
      mapped[state.value.index] = result.state(state.name, graph.type(state.value), state.role, state.stored_shape, state.init);
    }
  }
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    if (!keep[n]) continue;
    const NodeInfo& node = graph.node(NodeId{n});
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) inputs.push_back(mapped[id.index]);
    const auto made = result.add(node.op, std::move(inputs), node.name);
    for (size_t k = 0; k < made.size(); ++k) mapped[node.outputs[k].index] = made[k];
  }
  for (const State& state : graph.states())
    if (with_next && state.next.valid()) result.set_next(state.name, mapped[state.next.index]);
  for (const NamedValue& output : outputs) result.output(output.name, mapped[output.value.index]);
  return result;
}

}  // namespace

Graph drop_dead(const Graph& graph) { return copy_live(graph, graph.outputs(), true); }

Graph keep_outputs(const Graph& graph, std::span<const std::string> names) {
  std::vector<NamedValue> outputs;
  for (const std::string& name : names) {
    const auto value = graph.find_output(name);
    if (!value) fail(ErrorKind::usage, "there is no output '{}'", name);
    outputs.push_back({name, *value});
  }
  return copy_live(graph, outputs, false);
}

}  // namespace fovea::passes
