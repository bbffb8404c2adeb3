#include "explain/structure.h"

#include <set>

#include "ops/add.h"

namespace fovea::explain {
namespace {

// Weights may be made of parameters (standardized ones, a resized table).
void collect_parameters(const Graph& graph, const std::vector<bool>& from_image, ValueId value, std::set<uint32_t>& found) {
  if (from_image[value.index]) return;
  if (const State* state = graph.state_of(value); state && state->role == StateRole::parameter) found.insert(value.index);
  const NodeId producer = graph.value(value).producer;
  if (!producer.valid()) return;
  for (ValueId input : graph.node(producer).inputs) collect_parameters(graph, from_image, input, found);
}

}  // namespace

int64_t multiply_adds_of(const Graph& graph, NodeId id) {
  const NodeInfo& node = graph.node(id);
  return node.op.cost(graph.types(node.inputs), graph.types(node.outputs)).multiply_adds;
}

std::vector<Convolution> convolutions(const Graph& graph) {
  std::vector<Convolution> result;
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const NodeInfo& node = graph.node(NodeId{n});
    const auto* op = node.op.as<Conv2d>();
    if (!op) continue;
    const Shape &w = graph.type(node.inputs[1]).shape, &y = graph.type(node.outputs[0]).shape;
    if (w[2] != w[3] || op->stride.height != op->stride.width) continue;
    Convolution one{NodeId{n}, node.name, w[1] * op->groups, w[0], w[2], op->stride.height, op->groups};
    one.padded = !(op->padding == Padding2{});
    one.places = y.height() * y.width();
    one.weights = w.elements();
    one.multiply_adds = multiply_adds_of(graph, NodeId{n});
    result.push_back(std::move(one));
  }
  return result;
}

std::vector<std::vector<NodeId>> readers_of(const Graph& graph) {
  std::vector<std::vector<NodeId>> readers(graph.value_count());
  for (uint32_t n = 0; n < graph.node_count(); ++n)
    for (ValueId input : graph.node(NodeId{n}).inputs) readers[input.index].push_back(NodeId{n});
  return readers;
}

std::vector<bool> depends_on(const Graph& graph, ValueId source) {
  std::vector<bool> depends(graph.value_count());
  depends[source.index] = true;
  for (const NodeInfo& node : graph.nodes())
    for (ValueId input : node.inputs)
      if (depends[input.index])
        for (ValueId output : node.outputs) depends[output.index] = true;
  return depends;
}

std::vector<NodeId> next_convolutions(const Graph& graph, const std::vector<std::vector<NodeId>>& readers, NodeId node) {
  std::vector<NodeId> found;
  std::vector<ValueId> open{graph.node(node).outputs[0]};
  std::set<uint32_t> seen;
  while (!open.empty()) {
    const ValueId value = open.back();
    open.pop_back();
    for (NodeId reader : readers[value.index]) {
      const NodeInfo& next = graph.node(reader);
      if (!seen.insert(reader.index).second) continue;
      if (next.op.as<Conv2d>())
        found.push_back(reader);
      else if (!next.op.as<Add>() && graph.type(next.outputs[0]).shape == graph.type(value).shape)
        open.push_back(next.outputs[0]);
    }
  }
  return found;
}

int64_t parameters_of(const Graph& graph, const std::vector<bool>& from_image, const std::vector<NodeId>& nodes) {
  std::set<uint32_t> found;
  for (NodeId node : nodes)
    for (ValueId input : graph.node(node).inputs) collect_parameters(graph, from_image, input, found);
  int64_t sum = 0;
  for (uint32_t index : found) sum += graph.type(ValueId{index}).elements();
  return sum;
}

}  // namespace fovea::explain
