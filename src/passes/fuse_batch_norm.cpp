#include "passes/fuse_batch_norm.h"

#include "ops/activation.h"
#include "ops/batch_norm.h"
#include "passes/residual_add.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

struct Fusion {
  NodeId norm, add, activation;       // forward; add or activation may be invalid
  NodeId activation_grad, norm_grad;  // backward; both invalid where the norm's gradient is not asked for or stays as it is
  ValueId residual;

  NodeId last() const { return activation.valid() ? activation : add; }
  ActivationKind kind(const Graph& graph) const {
    return activation.valid() ? graph.node(activation).op.as<Activation>()->kind : ActivationKind::identity;
  }
};

class Finder {
 public:
  explicit Finder(const Graph& graph) : graph_(graph), uses_(graph) {}

  // Fills `fusion` from its norm; false where nothing can be fused.
  bool find(Fusion& fusion) const {
    const NodeInfo& norm = graph_.node(fusion.norm);
    const ValueId y = norm.outputs[0];
    const ResidualAdd sum_with = residual_add<BatchNormTraining>(graph_, uses_, fusion.norm);
    fusion.add = sum_with.add;
    fusion.residual = sum_with.residual;
    const ValueId sum = fusion.add.valid() ? graph_.node(fusion.add).outputs[0] : y;
    if (find_activation(fusion, sum) && find_backward(fusion, norm, sum)) return true;
    fusion.activation = fusion.activation_grad = fusion.norm_grad = {};
    return fusion.add.valid();
  }

 private:
  bool find_activation(Fusion& fusion, ValueId sum) const {
    for (NodeId reader : uses_.nodes[sum.index]) {
      if (graph_.node(reader).op.as<Activation>()) {
        if (fusion.activation.valid()) return false;
        fusion.activation = reader;
      } else if (!graph_.node(reader).op.as<ActivationGrad>()) {
        return false;
      }
    }
    return fusion.activation.valid() && uses_.other[sum.index] == 0 && (!fusion.add.valid() || derivative_from_result(fusion.kind(graph_)));
  }

  // The backward pair has to be found whole: the derivative reads nothing that the fusion would take away.
  bool find_backward(Fusion& fusion, const NodeInfo& norm, ValueId sum) const {
    const ActivationKind kind = fusion.kind(graph_);
    const ValueId result = graph_.node(fusion.activation).outputs[0];
    const ValueId base = derivative_from_result(kind) ? result : sum;
    for (NodeId reader : uses_.nodes[base.index]) {
      const NodeInfo& node = graph_.node(reader);
      const auto* grad = node.op.as<ActivationGrad>();
      if (!grad || grad->kind != kind || node.inputs[1] != base) continue;
      if (fusion.activation_grad.valid()) return false;
      fusion.activation_grad = reader;
    }
    if (!fusion.activation_grad.valid()) return uses_.nodes[sum.index].size() == 1;  // no gradient passes here
    const ValueId dz = graph_.node(fusion.activation_grad).outputs[0];
    for (NodeId reader : uses_.nodes[dz.index]) {
      const NodeInfo& node = graph_.node(reader);
      if (node.op.as<BatchNormTrainingGrad>() && node.inputs[0] == dz && node.inputs[3] == norm.outputs[1]) fusion.norm_grad = reader;
    }
    if (!fusion.norm_grad.valid()) return false;
    return fusion.add.valid() || uses_.sole(dz).valid();
  }

  const Graph& graph_;
  Uses uses_;
};

void add_forward(Rewrite& rewrite, const Fusion& fusion) {
  const Graph& graph = rewrite.source();
  const NodeInfo& norm = graph.node(fusion.norm);
  BatchNormTraining op = *norm.op.as<BatchNormTraining>();
  op.residual = fusion.add.valid();
  op.activation = fusion.kind(graph);
  auto inputs = rewrite.map(norm.inputs);
  if (op.residual) inputs.push_back(rewrite.map(fusion.residual));
  const auto results = rewrite.target().add(op, inputs, norm.name);
  rewrite.set(graph.node(fusion.last()).outputs[0], results[0]);
  for (size_t k = 1; k < results.size(); ++k) rewrite.set(norm.outputs[k], results[k]);
}

void add_backward(Rewrite& rewrite, const Fusion& fusion) {
  const Graph& graph = rewrite.source();
  const NodeInfo& grad = graph.node(fusion.norm_grad);
  const NodeInfo& derivative = graph.node(fusion.activation_grad);
  BatchNormTrainingGrad op = *grad.op.as<BatchNormTrainingGrad>();
  op.residual = fusion.add.valid();
  op.with_beta = !op.residual;
  op.activation = fusion.kind(graph);
  std::vector<ValueId> inputs{rewrite.map(derivative.inputs[0])};
  for (size_t i = 1; i < 5; ++i) inputs.push_back(rewrite.map(grad.inputs[i]));
  if (op.with_beta) inputs.push_back(rewrite.map(graph.node(fusion.norm).inputs[2]));
  if (op.residual) inputs.push_back(rewrite.map(graph.node(fusion.activation).outputs[0]));
  const auto results = rewrite.target().add(op, inputs, grad.name);
  for (size_t k = 0; k < 3; ++k) rewrite.set(grad.outputs[k], results[k]);
  if (op.residual) rewrite.set(derivative.outputs[0], results[3]);
}

}  // namespace

Graph fuse_batch_norm(const Graph& graph) {
  const Finder finder(graph);
  enum class Role { copy, skip, forward, backward };
  std::vector<Role> role(graph.node_count(), Role::copy);
  std::vector<Fusion> fusions;
  std::vector<size_t> fusion_at(graph.node_count(), 0);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    if (!graph.node(NodeId{n}).op.as<BatchNormTraining>()) continue;
    Fusion fusion{NodeId{n}, {}, {}, {}, {}, {}};
    if (!finder.find(fusion)) continue;
    for (NodeId part : {fusion.norm, fusion.add, fusion.activation})
      if (part.valid()) role[part.index] = Role::skip;
    role[fusion.last().index] = Role::forward;
    fusion_at[fusion.last().index] = fusions.size();
    if (fusion.norm_grad.valid()) {
      role[fusion.norm_grad.index] = Role::skip;
      role[fusion.activation_grad.index] = Role::backward;  // the earlier of the two: others may read dz before the norm's gradient does
      fusion_at[fusion.activation_grad.index] = fusions.size();
    }
    fusions.push_back(fusion);
  }
  Rewrite rewrite(graph);
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    if (role[n] == Role::copy) rewrite.copy(NodeId{n});
    if (role[n] == Role::forward) add_forward(rewrite, fusions[fusion_at[n]]);
    if (role[n] == Role::backward) add_backward(rewrite, fusions[fusion_at[n]]);
  }
  return rewrite.finish();
}

}  // namespace fovea::passes
