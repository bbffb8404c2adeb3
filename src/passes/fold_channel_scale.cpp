#include "passes/fold_channel_scale.h"

#include "ops/conv2d.h"
#include "ops/multiply.h"
#include "ops/view.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

struct Pair {
  NodeId conv;  // invalid: nothing to fold
  ValueId scale;
};

Pair foldable_pair(const Graph& graph, const Uses& uses, const std::vector<bool>& constant, const NodeInfo& node) {
  if (!node.op.as<Multiply>()) return {};
  for (size_t i : {0, 1}) {
    const ValueId value = node.inputs[i], scale = node.inputs[1 - i];
    const NodeId producer = graph.value(value).producer;
    if (!producer.valid() || !graph.node(producer).op.as<Conv2d>() || !uses.sole(value).valid()) continue;
    if (!constant[scale.index] || !(graph.type(scale).shape == Shape{1, graph.type(value).shape.channels(), 1, 1})) continue;
    const NodeInfo& conv = graph.node(producer);
    bool fixed = true;
    for (size_t k = 1; k < conv.inputs.size(); ++k) fixed = fixed && constant[conv.inputs[k].index];
    if (fixed) return {producer, scale};
  }
  return {};
}

// The convolution with its weights scaled; nodes carry the name of the multiplication where they replace a part of it.
ValueId scaled(Rewrite& rewrite, const NodeInfo& conv, ValueId scale, const std::string& name) {
  Graph& target = rewrite.target();
  std::vector<ValueId> inputs = rewrite.map(conv.inputs);
  const ValueId factors = rewrite.map(scale);
  const ValueId column = target.add(View{{target.type(factors).shape.channels(), 1, 1, 1}}, {factors}, name)[0];
  inputs[1] = target.add(Multiply{}, {inputs[1], column}, name)[0];
  if (inputs.size() > 2) inputs[2] = target.add(Multiply{}, {inputs[2], factors}, name)[0];
  return target.add(conv.op, inputs, conv.name)[0];
}

}  // namespace

Graph fold_channel_scale(const Graph& graph) {
  const Uses uses(graph);
  const auto constant = constant_values(graph);
  std::vector<Pair> pairs(graph.node_count());  // by multiplication
  std::vector<bool> folded(graph.node_count(), false);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    pairs[n] = foldable_pair(graph, uses, constant, graph.node(NodeId{n}));
    if (pairs[n].conv.valid()) folded[pairs[n].conv.index] = true;
  }
  Rewrite rewrite(graph);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    if (folded[n]) continue;
    const NodeInfo& node = graph.node(NodeId{n});
    if (pairs[n].conv.valid())
      rewrite.set(node.outputs[0], scaled(rewrite, graph.node(pairs[n].conv), pairs[n].scale, node.name));
    else
      rewrite.copy(NodeId{n});
  }
  return rewrite.finish();
}

}  // namespace fovea::passes
