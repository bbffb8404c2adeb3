#include "passes/apply_batch_norm.h"

#include <optional>
#include <vector>

#include "ops/activation.h"
#include "ops/add.h"
#include "ops/batch_norm.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

// What a norm's nodes become; the last of them gives the result.
struct Applied {
  std::vector<NodeId> nodes;  // norm, add, activation: those that are there
  BatchNormApply op;
  ValueId residual;
};

class Finder {
 public:
  explicit Finder(const Graph& graph) : graph_(graph), uses_(graph), constant_(constant_values(graph)) {}

  std::optional<Applied> find(NodeId id) const {
    const NodeInfo& norm = graph_.node(id);
    if (!norm.op.as<BatchNormInference>()) return std::nullopt;
    for (size_t i = 1; i < norm.inputs.size(); ++i)
      if (!constant_[norm.inputs[i].index]) return std::nullopt;
    Applied applied{{id}, {}, {}};
    ValueId result = norm.outputs[0];
    if (const NodeId reader = uses_.sole(result); reader.valid() && graph_.node(reader).op.as<Add>()) {
      const NodeInfo& add = graph_.node(reader);
      const ValueId other = add.inputs[0] == result ? add.inputs[1] : add.inputs[0];
      if (other != result && graph_.type(other) == graph_.type(result) && !later_norm(other, id)) {
        applied.nodes.push_back(reader);
        applied.op.residual = true;
        applied.residual = other;
        result = add.outputs[0];
      }
    }
    if (const NodeId reader = uses_.sole(result); reader.valid() && graph_.node(reader).op.as<Activation>()) {
      applied.nodes.push_back(reader);
      applied.op.activation = graph_.node(reader).op.as<Activation>()->kind;
    }
    return applied;
  }

 private:
  // Of two norms that meet in a sum, the later one takes it.
  bool later_norm(ValueId other, NodeId norm) const {
    const NodeId rival = graph_.value(other).producer;
    return rival.valid() && rival.index > norm.index && graph_.node(rival).op.as<BatchNormInference>() && uses_.sole(other).valid();
  }

  const Graph& graph_;
  Uses uses_;
  std::vector<bool> constant_;
};

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
  const Finder finder(graph);
  std::vector<std::optional<Applied>> ends(graph.node_count());  // by their last node
  std::vector<bool> taken(graph.node_count(), false);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const std::optional<Applied> applied = finder.find(NodeId{n});
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
