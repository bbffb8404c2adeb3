#include "passes/fuse_linear_updates.h"

#include <optional>
#include <vector>

#include "ops/conv2d.h"
#include "ops/linear_update.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

constexpr size_t kLarge = size_t{16} << 20;  // bytes of a gradient; smaller ones are not what memory goes into

std::optional<Op> fused(const Op& op) {
  if (const auto* sgd = op.as<SgdUpdate>()) return LinearUpdate<SgdUpdate>{*sgd};
  if (const auto* adamw = op.as<AdamWUpdate>()) return LinearUpdate<AdamWUpdate>{*adamw};
  if (const auto* rmsprop = op.as<RmspropUpdate>()) return LinearUpdate<RmspropUpdate>{*rmsprop};
  return std::nullopt;
}

// The node that makes an update's gradient, where the two can be one; else an invalid id.
NodeId gradient_of(const Graph& graph, const Uses& uses, const NodeInfo& update) {
  const ValueId gradient = update.inputs[1];
  const NodeId producer = graph.value(gradient).producer;
  if (!producer.valid() || !uses.sole(gradient).valid() || graph.type(gradient).bytes() < kLarge) return {};
  const auto* op = graph.node(producer).op.as<Conv2dWeightGrad>();
  if (!op || op->padding != Padding2{} || op->groups != 1) return {};
  const Shape& x = graph.type(graph.node(producer).inputs[0]).shape;
  return op->kernel == Size2{x.height(), x.width()} ? producer : NodeId{};
}

}  // namespace

Graph fuse_linear_updates(const Graph& graph) {
  const Uses uses(graph);
  std::vector<NodeId> gradient(graph.node_count());  // by update
  std::vector<bool> taken(graph.node_count(), false);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const NodeInfo& node = graph.node(NodeId{n});
    if (!fused(node.op)) continue;
    gradient[n] = gradient_of(graph, uses, node);
    if (gradient[n].valid()) taken[gradient[n].index] = true;
  }
  Rewrite rewrite(graph);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    if (taken[n]) continue;
    if (!gradient[n].valid()) {
      rewrite.copy(NodeId{n});
      continue;
    }
    const NodeInfo& update = graph.node(NodeId{n});
    std::vector<ValueId> inputs{update.inputs[0]};
    const NodeInfo& maker = graph.node(gradient[n]);
    inputs.insert(inputs.end(), maker.inputs.begin(), maker.inputs.end());
    inputs.insert(inputs.end(), update.inputs.begin() + 2, update.inputs.end());
    const auto results = rewrite.target().add(*fused(update.op), rewrite.map(inputs), update.name);
    for (size_t k = 0; k < results.size(); ++k) rewrite.set(update.outputs[k], results[k]);
  }
  return rewrite.finish();
}

}  // namespace fovea::passes
