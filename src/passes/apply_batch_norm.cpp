#include "passes/apply_batch_norm.h"

#include <optional>
#include <vector>

#include "ops/activation.h"
#include "ops/batch_norm.h"
#include "passes/residual_add.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

// What a norm's nodes become; the last of them gives the result.
struct Applied {
  std::vector<NodeId> nodes;  // norm, add, activation: those that are there
  BatchNormApply op;
  ValueId residual;
};

std::optional<Applied> find(const Graph& graph, const Uses& uses, const std::vector<bool>& constant, NodeId id) {
  const NodeInfo& norm = graph.node(id);
  if (!norm.op.as<BatchNormInference>()) return std::nullopt;
  for (size_t i = 1; i < norm.inputs.size(); ++i)
    if (!constant[norm.inputs[i].index]) return std::nullopt;
  Applied applied{{id}, {}, {}};
  if (const ResidualAdd sum = residual_add<BatchNormInference>(graph, uses, id); sum.add.valid()) {
    applied.nodes.push_back(sum.add);
    applied.op.residual = true;
    applied.residual = sum.residual;
  }
  if (const NodeId reader = uses.sole(graph.node(applied.nodes.back()).outputs[0]); reader.valid()) {
    if (const auto* activation = graph.node(reader).op.as<Activation>()) {
      applied.nodes.push_back(reader);
      applied.op.activation = activation->kind;
    }
  }
  return applied;
}

void add_applied(Rewrite& rewrite, const Applied& applied) {
  const NodeInfo& norm = rewrite.source().node(applied.nodes.front());
  const BatchNormAffine affine{norm.op.as<BatchNormInference>()->eps};
  const auto vectors = rewrite.map(norm.inputs);
  std::vector<ValueId> inputs{vectors[0], vectors[3], rewrite.target().add(affine, {vectors[1], vectors[2], vectors[4]}, norm.name)[0]};
  if (applied.op.residual) inputs.push_back(rewrite.map(applied.residual));
  rewrite.set(rewrite.source().node(applied.nodes.back()).outputs[0], rewrite.target().add(applied.op, inputs, norm.name)[0]);
}

}  // namespace

Graph apply_batch_norm(const Graph& graph) {
  const Uses uses(graph);
  const std::vector<bool> constant = constant_values(graph);
  std::vector<std::optional<Applied>> ends(graph.node_count());  // by their last node
  std::vector<bool> taken(graph.node_count(), false);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const std::optional<Applied> applied = find(graph, uses, constant, NodeId{n});
    if (!applied) continue;
    for (NodeId node : applied->nodes) taken[node.index] = true;
    ends[applied->nodes.back().index] = applied;
  }
  Rewrite rewrite(graph);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    if (ends[n])
      add_applied(rewrite, *ends[n]);
    else if (!taken[n])
      rewrite.copy(NodeId{n});
  }
  return rewrite.finish();
}

}  // namespace fovea::passes
