#include "passes/fold_batch_norm.h"

#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

// The convolution that the norm can be folded into, or an invalid id.
NodeId foldable_convolution(const Graph& graph, const Uses& uses, const std::vector<bool>& constant, const NodeInfo& norm) {
  if (!norm.op.as<BatchNormInference>()) return {};
  const NodeId producer = graph.value(norm.inputs[0]).producer;
  if (!producer.valid() || !graph.node(producer).op.as<Conv2d>() || !uses.sole(norm.inputs[0]).valid()) return {};
  for (size_t i = 1; i < norm.inputs.size(); ++i)
    if (!constant[norm.inputs[i].index]) return {};
  const NodeInfo& conv = graph.node(producer);
  for (size_t i = 1; i < conv.inputs.size(); ++i)
    if (!constant[conv.inputs[i].index]) return {};
  return producer;
}

}  // namespace

Graph fold_batch_norm(const Graph& graph) {
  const Uses uses(graph);
  const auto constant = constant_values(graph);
  std::vector<NodeId> into(graph.node_count());  // by norm
  std::vector<bool> folded(graph.node_count(), false);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    into[n] = foldable_convolution(graph, uses, constant, graph.node(NodeId{n}));
    if (into[n].valid()) folded[into[n].index] = true;
  }
  Rewrite rewrite(graph);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    if (folded[n]) continue;
    if (!into[n].valid()) {
      rewrite.copy(NodeId{n});
      continue;
    }
    const NodeInfo& norm = graph.node(NodeId{n});
    const NodeInfo& conv = graph.node(into[n]);
    std::vector<ValueId> inputs{conv.inputs[1]};
    inputs.insert(inputs.end(), norm.inputs.begin() + 1, norm.inputs.end());
    if (conv.inputs.size() > 2) inputs.push_back(conv.inputs[2]);
    const auto weights = rewrite.target().add(FoldBatchNorm{norm.op.as<BatchNormInference>()->eps}, rewrite.map(inputs), norm.name);
    rewrite.set(norm.outputs[0], rewrite.target().add(conv.op, {rewrite.map(conv.inputs[0]), weights[0], weights[1]}, conv.name)[0]);
  }
  return rewrite.finish();
}

}  // namespace fovea::passes
