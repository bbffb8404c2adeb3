#include "passes/retype.h"

#include "ops/cast.h"
#include "ops/constant.h"

namespace fovea::passes {

Graph retype(const Graph& graph, DType floating) {
  const auto changed = [&](Type type) {
    if (is_floating(type.dtype)) type.dtype = floating;
    return type;
  };
  Graph result;
  std::vector<ValueId> mapped(graph.value_count());
  for (const NamedValue& input : graph.inputs()) mapped[input.value.index] = result.input(input.name, changed(graph.type(input.value)));
  for (const State& state : graph.states()) {
    mapped[state.value.index] = result.state(state.name, changed(graph.type(state.value)), state.role, state.stored_shape, state.init);
  }
  for (const NodeInfo& node : graph.nodes()) {
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) inputs.push_back(mapped[id.index]);
    Op op = node.op;
    if (const auto* constant = op.as<Constant>(); constant && is_floating(constant->dtype))
      op = Constant{floating, constant->shape, constant->value};
    if (op.as<Cast>()) op = Cast{floating};
    const auto outputs = result.add(op, std::move(inputs), node.name);
    for (size_t k = 0; k < outputs.size(); ++k) mapped[node.outputs[k].index] = outputs[k];
  }
  for (const State& state : graph.states())
    if (state.next.valid()) result.set_next(state.name, mapped[state.next.index]);
  for (const NamedValue& output : graph.outputs()) result.output(output.name, mapped[output.value.index]);
  return result;
}

}  // namespace fovea::passes
