#include "reference/compare.h"

#include <algorithm>
#include <cmath>

#include "backends/cpu/cpu.h"
#include "base/error.h"
#include "engine/executable.h"
#include "engine/session.h"
#include "models/registry.h"
#include "ops/activation.h"
#include "ops/dropout.h"
#include "ops/max_pool2d.h"
#include "passes/retype.h"
#include "passes/rewrite.h"
#include "reference/formula.h"

namespace fovea::answers {
namespace {

// Of a network without a head the answer's logits are the features.
ModelGraph build(const Answer& answer, const std::vector<int64_t>& input) {
  const models::Variant& variant = models::get(answer.model);
  ModelGraph model = models::build(variant, {.batch = input[0],
                                             .height = input[2],
                                             .width = input[3],
                                             .channels = input[1],
                                             .classes = variant.classes == 0 ? 0 : answer.classes,
                                             .native_height = answer.eval.input[2],
                                             .native_width = answer.eval.input[3]});
  if (!model.logits.valid()) model.logits = model.pre_logits;
  return model;
}

void check_parameters(const Answer& answer, const Graph& graph) {
  const auto states = graph.states();
  for (size_t i = 0; i < std::max(states.size(), answer.parameters.size()); ++i) {
    const std::string own = i < states.size() ? states[i].name + shape_string(states[i].stored_shape) : "nothing";
    const std::string theirs =
        i < answer.parameters.size() ? answer.parameters[i].first + shape_string(answer.parameters[i].second) : "nothing";
    if (own != theirs) fail(ErrorKind::mismatch, "parameter {} is {} here, {} in the answer", i, own, theirs);
  }
}

bool has_activation(const Graph& graph, std::initializer_list<ActivationKind> kinds) {
  return std::ranges::any_of(graph.nodes(), [&](const NodeInfo& node) {
    const auto* activation = node.op.as<Activation>();
    return activation && std::ranges::find(kinds, activation->kind) != kinds.end();
  });
}

// One rounding that tips a ReLU or another winner of a max-pool moves gradients by far more than rounding does.
bool has_kinks(const Graph& graph) {
  const auto pools = [](const NodeInfo& node) { return node.op.as<MaxPool2d>() != nullptr; };
  return std::ranges::any_of(graph.nodes(), pools) ||
         has_activation(graph, {ActivationKind::relu, ActivationKind::relu6, ActivationKind::hard_swish, ActivationKind::hard_sigmoid});
}

// An executable with states of its own, filled by the formula.
class Run {
 public:
  Run(Graph graph, const Target& target, uint64_t seed) : store_(std::make_shared<engine::StateStore>(target.dtype)) {
    if (target.dtype != DType::f32) graph = passes::retype(graph, target.dtype);
    executable_ = engine::Executable::compile(std::move(graph), target.backend, store_, std::make_shared<engine::Arena>());
    for (const State& state : executable_->graph().states())
      if (state.role != StateRole::optimizer) store_->set(state.name, parameter(state.name, state.stored_shape, seed));
    executable_->prepare();
  }

  void run(const std::vector<std::pair<std::string, Tensor>>& inputs) {
    for (const auto& [name, tensor] : inputs)
      if (executable_->has_input(name)) executable_->write_input(name, tensor);
    executable_->run();
  }

  Tensor output(const std::string& name) const { return executable_->read_output(name, DType::f64); }
  bool has_output(const std::string& name) const { return executable_->graph().find_output(name).has_value(); }
  Tensor state(const std::string& name) const { return store_->get(name, DType::f64); }

 private:
  std::shared_ptr<engine::StateStore> store_;
  std::unique_ptr<engine::Executable> executable_;
};

struct Allowed {
  bool exact;  // float64
  bool kinks;
  bool hard_sigmoid;
  double float32_logits;
  std::vector<double> float32_losses;

  // Some networks magnify rounding in torch as here: BiT's ResNet-50 ends its last stage 2.6e-5 from float64 in torch's own float32, where
  // its logits are 5e-6 away; others stay ten times below.
  double outputs() const { return exact ? 1e-8 : std::max(2e-5, 10 * float32_logits); }
  // Of small pictures few numbers make a batch's statistics: at 96 px torch's float32 is 1.1e-4 away in ResNet-152, and 1.7e-5 in its loss.
  double buffers() const { return exact ? 1e-8 : std::max(1e-4, 10 * float32_losses[0]); }
  // Where float32 loses its way altogether in the steps before, double loses some digits: torch's own double moves ResNet-152's third loss
  // by 8e-8 where the pictures of the batch change places.
  std::optional<double> loss(size_t step) const {
    const bool lost = step > 0 && *std::max_element(float32_losses.begin(), float32_losses.begin() + static_cast<long>(step) + 1) > 1e-2;
    if (exact) return lost ? 1e-7 : 1e-8;
    if (step == 0) return std::max(1e-5, 5 * float32_losses[0]);
    if (kinks) return std::nullopt;
    return std::max(1e-5, 10 * float32_losses[step]);
  }
  // Torch's derivative of the hard sigmoid has the float32 number nearest to 1/6 in it in double too, which is 3e-8 off.
  std::optional<double> gradient() const {
    if (exact) return hard_sigmoid ? 1e-7 : 1e-8;
    if (kinks) return std::nullopt;
    return 1e-3;
  }
  std::optional<double> median_gradient() const {
    if (exact || kinks) return gradient();
    return 1e-4;
  }
};

// What the libraries call a stage. Their pooled vector is no tap here (but VGG's avgpool is a layer); tokens have three dimensions there.
std::string output_name(const Answer& answer, const Description& stage) {
  const std::string& name = stage.name;
  if (name == "head.global_pool" && answer.model.starts_with("timm/vgg")) return "pre_logits";  // after its fully connected layers
  if (name == "global_pool" || name == "head.global_pool") return "pooled";
  if (name == "avgpool" && !answer.model.starts_with("torchvision/vgg")) return "pooled";
  return stage.shape.size() == 3 ? name + ":tokens" : name;
}

void compare_inference(const Answer& answer, const Target& target, const Allowed& allowed, Report& report) {
  const ModelGraph model = build(answer, answer.eval.input);
  check_parameters(answer, model.graph);
  const std::vector<std::pair<std::string, Tensor>> inputs{{"image", images(answer.eval.input, answer.seed)}};
  std::vector<std::string> outputs;
  for (const Description& stage : answer.eval.stages) outputs.push_back(output_name(answer, stage));
  if (allowed.exact) {
    outputs.push_back("logits");
  } else {
    // By itself, as it is timed: nothing is kept but the logits, so every fusion is there.
    Run run(engine::inference_graph(model, {"logits"}), target, answer.seed);
    run.run(inputs);
    report.add("logits", distance(answer.eval.logits, run.output("logits")), allowed.outputs());
  }
  Run run(engine::inference_graph(model, outputs), target, answer.seed);
  run.run(inputs);
  if (allowed.exact) report.add("logits", distance(answer.eval.logits, run.output("logits")), allowed.outputs());
  for (const Description& stage : answer.eval.stages)
    report.add("stage " + stage.name, distance(stage, run.output(output_name(answer, stage))), allowed.outputs());
}

void compare_first_step(const Answer& answer, const Run& run, const Allowed& allowed, Report& report) {
  std::vector<double> distances;
  for (const Description& gradient : answer.train.gradients) {
    if (!run.has_output(gradient.name)) fail(ErrorKind::mismatch, "{}: no such gradient here", gradient.name);
    distances.push_back(distance(gradient, run.output(gradient.name)));
    report.add("gradient " + gradient.name.substr(std::string("grad:").size()), distances.back(), allowed.gradient());
  }
  if (!distances.empty()) {
    std::ranges::sort(distances);
    report.add("gradients, median", distances[distances.size() / 2], allowed.median_gradient());
    report.add("gradients, worst", distances.back(), allowed.gradient());
  }
  for (const Description& buffer : answer.train.buffers) {
    const std::string name = buffer.name.substr(std::string("buffer:").size());
    report.add("buffer " + name, distance(buffer, run.state(name)), allowed.buffers());
  }
}

double loss_of(const Run& run) {
  const Tensor loss = run.output("loss");
  return loss.values<double>()[0];
}

void compare_training(const Answer& answer, const Target& target, const Allowed& allowed, Report& report) {
  training::StepOptions options = step_options(answer);
  options.gradients_as_outputs = true;
  Run run(training::build_step(training::lower_for_training(training_model(answer), {}), options,
                               {.recompute = {.device = &cpu::cpu_backend().traits()}}),
          target, answer.seed);
  for (size_t step = 0; step < answer.train.losses.size(); ++step) {
    run.run(step_inputs(answer, static_cast<int64_t>(step)));
    const double expected = answer.train.losses[step], own = loss_of(run);
    report.add(fmt::format("loss {}", step + 1), std::abs(own - expected) / expected, allowed.loss(step));
    if (step == 0) compare_first_step(answer, run, allowed, report);
  }
}

Tensor scalar(double value) {
  Tensor tensor(DType::f64, {});
  tensor.mutable_values<double>()[0] = value;
  return tensor;
}

}  // namespace

std::vector<double> losses(const Answer& answer, const Target& target, DType precision) {
  training::StepOptions options = step_options(answer);
  options.precision = precision;
  Run run(training::build_step(training::lower_for_training(training_model(answer), {}), options,
                               {.recompute = {.device = &cpu::cpu_backend().traits()}}),
          target, answer.seed);
  std::vector<double> found;
  for (size_t step = 0; step < answer.train.losses.size(); ++step) {
    run.run(step_inputs(answer, static_cast<int64_t>(step)));
    found.push_back(loss_of(run));
  }
  return found;
}

ModelGraph training_model(const Answer& answer) {
  ModelGraph model = build(answer, answer.train.input);
  passes::Rewrite rewrite(model.graph);
  for (uint32_t n = 0; n < model.graph.node_count(); ++n) {
    const auto* dropout = model.graph.node(NodeId{n}).op.as<Dropout>();
    dropout ? rewrite.copy(NodeId{n}, Dropout{0, dropout->per_sample}) : rewrite.copy(NodeId{n});
  }
  for (ValueId* id : {&model.image, &model.map, &model.pooled, &model.pre_logits, &model.head_input, &model.logits})
    if (id->valid()) *id = rewrite.map(*id);
  for (Tap& tap : model.taps) tap.value = rewrite.map(tap.value);
  model.graph = rewrite.finish();
  return model;
}

training::StepOptions step_options(const Answer& answer) {
  training::StepOptions options;
  options.optimizer.kind = training::OptimizerOptions::Kind::sgd;
  options.optimizer.momentum = answer.train.momentum;
  options.optimizer.weight_decay = answer.train.weight_decay;
  options.loss.smoothing = answer.train.label_smoothing;
  return options;
}

std::vector<std::pair<std::string, Tensor>> step_inputs(const Answer& answer, int64_t step) {
  Tensor labels(DType::i32, {static_cast<int64_t>(answer.train.labels.size())});
  std::ranges::copy(answer.train.labels, labels.mutable_values<int32_t>().begin());
  Tensor number(DType::i64, {});
  number.mutable_values<int64_t>()[0] = step;
  return {{"image", images(answer.train.input, answer.seed)}, {"labels", labels}, {"rate", scalar(answer.train.rate)}, {"step", number}};
}

Report compare(const Answer& answer, const Target& target) {
  Report report{fmt::format("{} ({}, {})", answer.model, target.backend.name(), to_string(target.dtype)), {}};
  return in_context(answer.model, [&] {
    const Graph graph = build(answer, answer.train.input).graph;
    const Allowed allowed{target.dtype == DType::f64, has_kinks(graph), has_activation(graph, {ActivationKind::hard_sigmoid}),
                          answer.float32_logits, answer.float32_losses};
    compare_inference(answer, target, allowed, report);
    compare_training(answer, target, allowed, report);
    return report;
  });
}

}  // namespace fovea::answers
