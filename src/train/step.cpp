#include "train/step.h"

#include "autodiff/autodiff.h"
#include "base/error.h"
#include "ops/adamw_update.h"
#include "ops/cross_entropy.h"
#include "ops/sgd_update.h"
#include "ops/target_losses.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"

namespace fovea::training {
namespace {

ValueId input_of(Graph& graph, const std::string& name, const Type& type) {
  if (const auto found = graph.find_input(name)) return *found;
  return graph.input(name, type);
}

ValueId moment(Graph& graph, const char* prefix, const std::string& parameter, const Type& type, const std::vector<int64_t>& stored) {
  return graph.state(prefix + parameter, type, StateRole::optimizer, stored);
}

ValueId add_loss(Graph& graph, ValueId logits, const LossOptions& options) {
  const Type type = graph.type(logits);
  const bool binary = options.kind == LossOptions::Kind::binary;
  if (!binary && !options.soft_targets && !options.class_weights && options.focal_gamma == 0) {
    const ValueId labels = graph.input("labels", {DType::i32, {type.shape.batch()}});
    return graph.add(CrossEntropy{options.smoothing}, {logits, labels}, "loss")[0];
  }
  std::vector<ValueId> inputs{logits, graph.input("targets", type)};
  if (options.class_weights) inputs.push_back(graph.input("class_weights", {type.dtype, {1, type.shape.channels(), 1, 1}}));
  if (binary) return graph.add(BinaryCrossEntropy{options.smoothing, options.focal_gamma}, inputs, "loss")[0];
  return graph.add(SoftCrossEntropy{options.smoothing, options.focal_gamma, !options.soft_targets}, inputs, "loss")[0];
}

class Updates {
 public:
  Updates(Graph& graph, const StepOptions& options) : graph_(graph), options_(options) {
    rate_ = input_of(graph, "rate", {DType::f32, {}});
    step_ = input_of(graph, "step", {DType::i64, {}});
  }

  void add(const std::string& name, ValueId gradient) {
    const State state = *graph_.find_state(name);  // a copy: declaring moments moves the table
    const ParameterOptions own = options_.parameter ? options_.parameter(state) : ParameterOptions{};
    const OptimizerOptions& optimizer = options_.optimizer;
    const double decay = optimizer.weight_decay * own.decay_scale;
    const Type type = graph_.type(state.value);
    if (optimizer.kind == OptimizerOptions::Kind::sgd) {
      const ValueId velocity = moment(graph_, "sgd.velocity:", name, type, state.stored_shape);
      const SgdUpdate update{optimizer.momentum, decay, own.rate_scale, optimizer.nesterov};
      const auto next = graph_.add(update, {state.value, gradient, velocity, rate_}, "update:" + name);
      graph_.set_next(name, next[0]);
      graph_.set_next("sgd.velocity:" + name, next[1]);
    } else {
      const ValueId m = moment(graph_, "adamw.m:", name, type, state.stored_shape);
      const ValueId v = moment(graph_, "adamw.v:", name, type, state.stored_shape);
      const AdamWUpdate update{optimizer.beta1, optimizer.beta2, optimizer.eps, decay, own.rate_scale};
      const auto next = graph_.add(update, {state.value, gradient, m, v, rate_, step_}, "update:" + name);
      graph_.set_next(name, next[0]);
      graph_.set_next("adamw.m:" + name, next[1]);
      graph_.set_next("adamw.v:" + name, next[2]);
    }
  }

 private:
  Graph& graph_;
  const StepOptions& options_;
  ValueId rate_, step_;
};

}  // namespace

Graph lower_for_training(const ModelGraph& model, const std::set<std::string>& frozen) {
  if (!model.logits.valid()) fail(ErrorKind::usage, "a network without a head cannot be trained");
  Graph graph = model.graph;
  graph.output("logits", model.logits);
  return passes::lower_mode(graph, {true, frozen});
}

Graph build_step(Graph lowered, const StepOptions& options, const passes::PipelineOptions& pipeline) {
  const auto logits = lowered.find_output("logits");
  if (!logits) fail(ErrorKind::internal, "a step is built of a graph without logits");
  const ValueId loss = add_loss(lowered, *logits, options.loss);
  lowered.output("loss", loss);

  std::vector<std::string> names;
  std::vector<ValueId> parameters;
  for (const State& state : lowered.states()) {
    if (state.role != StateRole::parameter || options.frozen.contains(state.name)) continue;
    names.push_back(state.name);
    parameters.push_back(state.value);
  }
  const auto gradients = autodiff::gradients(lowered, loss, parameters);
  Updates updates(lowered, options);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!gradients[i].valid()) continue;
    if (options.gradients_as_outputs) lowered.output("grad:" + names[i], gradients[i]);
    updates.add(names[i], gradients[i]);
  }
  return passes::optimize(std::move(lowered), pipeline);
}

}  // namespace fovea::training
