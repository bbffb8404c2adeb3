#include "train/step.h"

#include "autodiff/autodiff.h"
#include "base/error.h"
#include "ir/slots.h"
#include "nn/architecture_access.h"
#include "ops/accumulate.h"
#include "ops/adamw_update.h"
#include "ops/cross_entropy.h"
#include "ops/gradient_norm.h"
#include "ops/multiply.h"
#include "ops/rmsprop_update.h"
#include "ops/sgd_update.h"
#include "ops/target_losses.h"
#include "ops/view.h"
#include "passes/drop_paths.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "passes/set_precision.h"

namespace fovea::training {
namespace {

ValueId input_of(Graph& graph, const std::string& name, const Type& type) {
  if (const auto found = graph.find_input(name)) return *found;
  return graph.input(name, type);
}

// A loss composed by the caller, to one number.
ValueId add_composed(Graph& graph, ValueId logits, ValueId targets, const LossOptions& options) {
  return in_context("the loss of the caller's own", [&] {
    using Access = ArchitectureAccess;
    const Value loss = Access::value(options.composed(Access::map({graph, logits}), Access::map({graph, targets})));
    if (loss.type().elements() != 1)
      fail(ErrorKind::usage, "it gives {}, one number expected (sum or mean make one)", to_string(loss.type()));
    return graph.add(View{Shape{}}, {loss.id()}, "loss")[0];
  });
}

// Where the backward walk starts: from the loss, or from what a function outside of the graph says of the logits.
struct LossStart {
  ValueId loss, from, gradient;  // no gradient: 1
};

ValueId add_loss(Graph& graph, ValueId logits, const LossOptions& options);

LossStart start_of(Graph& graph, ValueId logits, const LossOptions& options) {
  if (options.host) {
    const auto made = graph.add(HostLoss{options.host->number()}, {logits, graph.input(slots::kTargets.name, graph.type(logits))}, "loss");
    return {made[0], logits, made[1]};
  }
  const ValueId loss = options.composed ? add_composed(graph, logits, graph.input(slots::kTargets.name, graph.type(logits)), options)
                                        : add_loss(graph, logits, options);
  return {loss, loss, {}};
}

ValueId add_loss(Graph& graph, ValueId logits, const LossOptions& options) {
  const Type type = graph.type(logits);
  const bool binary = options.kind == LossOptions::Kind::binary;
  if (!binary && !options.soft_targets && !options.class_weights && options.focal_gamma == 0) {
    const ValueId labels = graph.input(slots::kLabels.name, {DType::i32, {type.shape.batch()}});
    return graph.add(CrossEntropy{options.smoothing}, {logits, labels}, "loss")[0];
  }
  std::vector<ValueId> inputs{logits, graph.input(slots::kTargets.name, type)};
  if (options.class_weights) inputs.push_back(graph.input(slots::kClassWeights.name, {type.dtype, {1, type.shape.channels(), 1, 1}}));
  if (binary) return graph.add(BinaryCrossEntropy{options.smoothing, options.focal_gamma}, inputs, "loss")[0];
  return graph.add(SoftCrossEntropy{options.smoothing, options.focal_gamma, !options.soft_targets}, inputs, "loss")[0];
}

struct Trained {
  std::string name;
  ValueId gradient;
};

// Adds each gradient to its sum; the sums are kept where no step follows.
void collect(Graph& graph, std::vector<Trained>& trained, bool keeps) {
  for (Trained& one : trained) {
    const State state = *graph.find_state(one.name);  // a copy: declaring states moves the table
    const std::string name = "sum:" + one.name;
    const Type type = graph.type(state.value), scalar{type.dtype, {}};
    const ValueId sum = graph.state(name, type, StateRole::optimizer, state.stored_shape);
    one.gradient = graph.add(Accumulate{},
                             {sum, one.gradient, input_of(graph, slots::kKeep.name, scalar), input_of(graph, slots::kScale.name, scalar)},
                             "collect:" + one.name)[0];
    if (keeps) graph.set_next(name, one.gradient);
  }
}

void clip(Graph& graph, std::vector<Trained>& trained, double max_norm) {
  if (trained.empty()) return;
  std::vector<ValueId> sum;
  for (const Trained& one : trained) {
    sum.insert(sum.begin(), one.gradient);
    sum = graph.add(SquaredNorm{}, sum, "norm:" + one.name);
  }
  const ValueId factor = graph.add(ClipFactor{max_norm}, sum, "clip")[0];
  for (Trained& one : trained) one.gradient = graph.add(Multiply{}, {one.gradient, factor}, "clip:" + one.name)[0];
}

class Updates {
 public:
  Updates(Graph& graph, const StepOptions& options) : graph_(graph), options_(options) {
    rate_ = input_of(graph, slots::kRate.name, {DType::f32, {}});
  }

  void add(const Trained& trained) {
    const State state = *graph_.find_state(trained.name);
    const ParameterOptions own = options_.parameter ? options_.parameter(state) : ParameterOptions{};
    const OptimizerOptions& optimizer = options_.optimizer;
    const double decay = optimizer.weight_decay * own.decay_scale;
    switch (optimizer.kind) {
      case OptimizerOptions::Kind::sgd:
        return update(SgdUpdate{optimizer.momentum, decay, own.rate_scale, optimizer.nesterov}, trained, state, {{"sgd.velocity:"}}, {});
      case OptimizerOptions::Kind::adamw:
        return update(
            AdamWUpdate{optimizer.beta1, optimizer.beta2, optimizer.eps, decay, own.rate_scale}, trained, state,
            {{"adamw.m:"}, {"adamw.v:"}},
            {input_of(graph_, options_.gradients == Gradients::applied ? slots::kStep.name : slots::kUpdate.name, {DType::i64, {}})});
      case OptimizerOptions::Kind::rmsprop:
        return update(RmspropUpdate{optimizer.alpha, optimizer.momentum, optimizer.rmsprop_eps, decay, own.rate_scale}, trained, state,
                      {{"rmsprop.square:", 1}, {"rmsprop.velocity:"}}, {});
    }
  }

 private:
  struct Moment {
    const char* prefix;
    double start = 0;
  };

  // (parameter, gradient, moments..., rate, `more`...) -> next parameter, next moments...
  void update(Op op, const Trained& trained, const State& state, std::initializer_list<Moment> moments, std::vector<ValueId> more) {
    const Type type = graph_.type(state.value);
    std::vector<ValueId> inputs{state.value, trained.gradient};
    for (const Moment& moment : moments)
      inputs.push_back(
          graph_.state(moment.prefix + trained.name, type, StateRole::optimizer, state.stored_shape, {Init::Kind::constant, moment.start}));
    inputs.push_back(rate_);
    inputs.insert(inputs.end(), more.begin(), more.end());
    const auto next = graph_.add(std::move(op), inputs, "update:" + trained.name);
    graph_.set_next(trained.name, next[0]);
    size_t result = 1;
    for (const Moment& moment : moments) graph_.set_next(moment.prefix + trained.name, next[result++]);
  }

  Graph& graph_;
  const StepOptions& options_;
  ValueId rate_;
};

}  // namespace

Graph lower_for_training(const ModelGraph& model, const std::set<std::string>& frozen, double stochastic_depth) {
  if (!model.logits.valid()) fail(ErrorKind::usage, "a network without a head cannot be trained");
  Graph graph = model.graph;
  graph.output(slots::kLogits.name, model.logits);
  if (stochastic_depth >= 0) graph = passes::set_drop_paths(graph, model.image, stochastic_depth);
  return passes::lower_mode(graph, {true, frozen});
}

Graph build_step(Graph lowered, const StepOptions& options, const passes::PipelineOptions& pipeline) {
  lowered = passes::set_precision(lowered, options.precision);
  const auto logits = lowered.find_output(slots::kLogits.name);
  if (!logits) fail(ErrorKind::internal, "a step is built of a graph without logits");
  const LossStart start = start_of(lowered, *logits, options.loss);
  lowered.output(slots::kLoss.name, start.loss);

  std::vector<std::string> names;
  std::vector<ValueId> parameters;
  for (const State& state : lowered.states()) {
    if (state.role != StateRole::parameter || options.frozen.contains(state.name)) continue;
    names.push_back(state.name);
    parameters.push_back(state.value);
  }
  const auto gradients = start.gradient.valid() ? autodiff::gradients(lowered, start.from, start.gradient, parameters)
                                                : autodiff::gradients(lowered, start.from, parameters);
  std::vector<Trained> trained;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!gradients[i].valid()) continue;
    if (options.gradients_as_outputs) lowered.output(slots::kGradient + names[i], gradients[i]);
    trained.push_back({names[i], gradients[i]});
  }
  const bool steps = options.gradients != Gradients::collected;
  if (options.gradients != Gradients::applied) collect(lowered, trained, !steps);
  if (steps && options.clip_norm > 0) clip(lowered, trained, options.clip_norm);
  if (steps) {
    Updates updates(lowered, options);
    for (const Trained& one : trained) updates.add(one);
  }
  return passes::optimize(std::move(lowered), pipeline);
}

Graph build_average(const Graph& step) {
  Graph graph;
  for (const State& state : step.states()) {
    const Type type = step.type(state.value);
    if (!state.next.valid() || state.role == StateRole::optimizer || !is_floating(type.dtype)) continue;
    const ValueId value = graph.state(state.name, type, state.role, state.stored_shape, state.init);
    const ValueId average = graph.state(kAverage + state.name, type, StateRole::optimizer, state.stored_shape);
    const Type scalar{type.dtype, {}};
    const ValueId next =
        graph.add(Accumulate{}, {average, value, input_of(graph, slots::kKeep.name, scalar), input_of(graph, slots::kScale.name, scalar)},
                  "average:" + state.name)[0];
    graph.set_next(kAverage + state.name, next);
  }
  return graph;
}

}  // namespace fovea::training
