#include "export/constants.h"

#include <map>

#include "engine/executable.h"
#include "ops/batch_norm.h"
#include "ops/broadcast_to.h"
#include "passes/drop_dead.h"

namespace fovea::onnx {
namespace {

// By value: whether it follows from weights alone, and is there once.
std::vector<bool> known_values(const Graph& graph) {
  std::vector<bool> known(graph.value_count());
  for (const State& state : graph.states()) known[state.value.index] = true;
  for (const NodeInfo& node : graph.nodes()) {
    // What is repeated for each picture is not there once.
    bool all = !node.op.as<BroadcastTo>() || graph.type(node.inputs[0]).shape[0] == graph.type(node.outputs[0]).shape[0];
    for (ValueId input : node.inputs) all = all && known[input.index];
    for (ValueId output : node.outputs) known[output.index] = all;
  }
  return known;
}

// The parameter that a value was made of, in the first place; null for a constant of the network's text.
const State* source_of(const Graph& graph, ValueId id) {
  while (!graph.state_of(id)) {
    const ValueInfo& value = graph.value(id);
    const NodeInfo& node = graph.node(value.producer);
    if (node.inputs.empty()) return nullptr;
    const size_t beta = 2;  // which folding makes the bias of
    id = node.inputs[node.op.as<FoldBatchNorm>() && value.result == 1 ? beta : 0];
  }
  return graph.state_of(id);
}

std::vector<int64_t> dims_of(const Shape& shape) { return {shape.dims().begin(), shape.dims().end()}; }

}  // namespace

std::vector<Constant> compute_constants(const Graph& graph, const std::shared_ptr<engine::StateStore>& weights,
                                        const backend::Backend& backend) {
  std::vector<Constant> constants(graph.value_count());
  for (const State& state : graph.states()) {
    const Tensor stored = weights->get(state.name);
    constants[state.value.index] = {stored.reshaped(dims_of(graph.type(state.value).shape)), state.name, stored, ""};
  }
  const std::vector<bool> known = known_values(graph);
  std::map<std::string, ValueId> wanted;
  for (const NodeInfo& node : graph.nodes())
    for (ValueId output : node.outputs)
      if (known[output.index]) wanted.emplace("constant." + std::to_string(output.index), output);
  if (wanted.empty()) return constants;

  Graph with_outputs = graph;
  std::vector<std::string> names;
  for (const auto& [name, id] : wanted) {
    with_outputs.output(name, id);
    names.push_back(name);
  }
  const auto executable =
      engine::Executable::compile(passes::keep_outputs(with_outputs, names), backend, weights, std::make_shared<engine::Arena>());
  executable->prepare();
  for (const auto& [name, id] : wanted) {
    const State* const source = source_of(graph, id);
    const NodeInfo& node = graph.node(graph.value(id).producer);
    const Tensor value = executable->read_output(name);
    constants[id.index] = {value, source ? source->name : node.name, source ? weights->get(source->name) : value,
                           std::string(node.op.name())};
  }
  return constants;
}

}  // namespace fovea::onnx
