#include "passes/lower_mode.h"

#include "base/error.h"
#include "base/hash.h"
#include "ir/slots.h"
#include "ops/batch_norm.h"
#include "ops/dropout.h"
#include "ops/increment.h"
#include "passes/rewrite.h"

namespace fovea::passes {
namespace {

class Lowering {
 public:
  Lowering(const Graph& graph, const Mode& mode) : graph_(graph), rewrite_(graph), uses_(graph), trainable_(graph.value_count(), false) {
    for (const State& state : graph.states()) {
      trainable_[state.value.index] = mode.training && state.role == StateRole::parameter && !mode.frozen.contains(state.name);
    }
  }

  Graph run() {
    for (uint32_t n = 0; n < graph_.node_count(); ++n) {
      const NodeInfo& node = graph_.node(NodeId{n});
      bool trains = false;
      for (ValueId id : node.inputs) trains = trains || trainable_[id.index];
      for (ValueId id : node.outputs) trainable_[id.index] = trains;
      if (const auto* norm = node.op.as<BatchNorm>()) {
        lower_batch_norm(NodeId{n}, *norm);
      } else if (const auto* dropout = node.op.as<Dropout>()) {
        lower_dropout(node, *dropout, trains || feeds_a_layer_that_trains(node.outputs[0]));
      } else {
        rewrite_.copy(NodeId{n});
      }
    }
    return rewrite_.finish();
  }

 private:
  void lower_batch_norm(NodeId id, const BatchNorm& norm) {
    const NodeInfo& node = graph_.node(id);
    if (!trainable_[node.inputs[1].index] && !trainable_[node.inputs[2].index]) return rewrite_.copy(id, BatchNormInference{norm.eps});
    Graph& target = rewrite_.target();
    const auto results =
        target.add(BatchNormTraining{norm.eps, norm.momentum, false, ActivationKind::identity}, rewrite_.map(node.inputs), node.name);
    rewrite_.set(node.outputs[0], results[0]);
    const State* mean = graph_.state_of(node.inputs[3]);
    const State* variance = graph_.state_of(node.inputs[4]);
    if (!mean || !variance) fail(ErrorKind::internal, "{}: running statistics are not states", node.name);
    target.set_next(mean->name, results[3]);
    target.set_next(variance->name, results[4]);
    const std::string counter = mean->name.substr(0, mean->name.rfind('.') + 1) + "num_batches_tracked";
    if (const State* count = graph_.find_state(counter)) {
      target.set_next(counter, target.add(Increment{}, {rewrite_.map(count->value)}, node.name)[0]);
    }
  }

  // What a layer drops of its input is the layer's, wherever that comes from: a head's on a frozen backbone.
  bool feeds_a_layer_that_trains(ValueId value) const {
    for (NodeId reader : uses_.nodes[value.index])
      for (ValueId id : graph_.node(reader).inputs)
        if (trainable_[id.index] && graph_.state_of(id)) return true;
    return false;
  }

  void lower_dropout(const NodeInfo& node, const Dropout& dropout, bool trains) {
    const ValueId x = rewrite_.map(node.inputs[0]);
    if (!trains || dropout.probability == 0) return rewrite_.set(node.outputs[0], x);
    const int64_t stream = static_cast<int64_t>(mix64(fnv1a64(node.name)) >> 1);
    const RandomMask mask{dropout.probability, dropout.per_sample, stream};
    rewrite_.set(node.outputs[0],
                 rewrite_.target().add(mask, {x, scalar_input(slots::kSeed.name), scalar_input(slots::kStep.name)}, node.name)[0]);
  }

  ValueId scalar_input(const std::string& name) {
    if (const auto found = rewrite_.target().find_input(name)) return *found;
    return rewrite_.target().input(name, {DType::i64, {}});
  }

  const Graph& graph_;
  Rewrite rewrite_;
  const Uses uses_;
  std::vector<bool> trainable_;  // whether a value depends on a parameter that trains
};

}  // namespace

Graph lower_mode(const Graph& graph, const Mode& mode) { return Lowering(graph, mode).run(); }

}  // namespace fovea::passes
