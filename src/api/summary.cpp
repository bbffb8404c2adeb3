#include <fovea/inspect.h>

#include <algorithm>
#include <array>
#include <set>

#include "api/activations.h"
#include "api/device.h"
#include "api/implementation.h"
#include "api/summary.h"
#include "base/error.h"
#include "engine/executable.h"
#include "explain/explain.h"
#include "explain/receptive_field.h"
#include "ir/slots.h"
#include "ops/batch_norm.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "train/step.h"

namespace fovea {
namespace {

int64_t multiply_adds_of(const Graph& graph) {
  int64_t sum = 0;
  for (uint32_t n = 0; n < graph.node_count(); ++n) sum += explain::multiply_adds_of(graph, NodeId{n});
  return sum;
}

bool on_the_way(const Graph& graph, ValueId value, ValueId end) { return stages_of(graph, std::vector{end})[value.index] >= 0; }

// The network is cut at its taps, at the pooled vector, where the head begins, and at its end.
struct Cuts {
  std::vector<ValueId> ends;
  std::vector<const TapInfo*> taps;  // by end; null where it is none
};

Cuts cuts_of(const ModelGraph& model, const std::vector<TapInfo>& taps) {
  const ValueId last = model.logits.valid() ? model.logits : model.pre_logits;
  Cuts cuts;
  const auto add = [&](ValueId end, const TapInfo* tap) {
    if (!on_the_way(model.graph, end, last) || (!cuts.ends.empty() && cuts.ends.back() == end)) return;
    cuts.ends.push_back(end);
    cuts.taps.push_back(tap);
  };
  for (size_t i = 0; i < taps.size(); ++i) add(model.taps[i].value, &taps[i]);
  add(model.pooled, nullptr);
  add(model.pre_logits, nullptr);
  add(last, nullptr);
  return cuts;
}

std::vector<int64_t> shape_of(const Shape& shape) {
  if (shape.height() == 1 && shape.width() == 1) return {shape.channels()};
  return {shape.channels(), shape.height(), shape.width()};
}

// After the last tap parts are called by the layers that they have.
std::string name_of(const std::vector<std::string>& layers) {
  if (layers.empty()) return "pooling";
  if (layers.size() == 1) return layers[0];
  return layers.front() + (layers.size() == 2 ? ", " : " to ") + layers.back();
}

std::vector<StageSummary> plain_stages(const ModelGraph& model, const Cuts& cuts) {
  const Graph& graph = model.graph;
  const std::vector<int> by_value = stages_of(graph, cuts.ends);
  const std::vector<ReceptiveField> fields = explain::receptive_fields(graph, model.image);
  std::vector<StageSummary> stages(cuts.ends.size());
  std::vector<std::vector<std::string>> layers(stages.size());
  for (const State& state : graph.states()) {
    const int stage = by_value[state.value.index];
    if (stage < 0 || state.role != StateRole::parameter) continue;
    stages[static_cast<size_t>(stage)].parameters += graph.type(state.value).elements();
    const std::string layer = state.name.substr(0, state.name.rfind('.'));
    auto& known = layers[static_cast<size_t>(stage)];
    if (std::ranges::find(known, layer) == known.end()) known.push_back(layer);
  }
  for (uint32_t n = 0; n < graph.node_count(); ++n) {
    const int stage = by_value[graph.node(NodeId{n}).outputs[0].index];
    if (stage >= 0) stages[static_cast<size_t>(stage)].multiply_adds += explain::multiply_adds_of(graph, NodeId{n});
  }
  for (size_t i = 0; i < stages.size(); ++i) {
    const TapInfo* tap = cuts.taps[i];
    StageSummary& stage = stages[i];
    stage.name = tap ? tap->name : name_of(layers[i]);
    stage.is_tap = tap != nullptr;
    stage.shape = tap ? tap->shape : shape_of(graph.type(cuts.ends[i]).shape);
    stage.stride = tap ? tap->stride : 0;
    stage.field = fields[cuts.ends[i].index];
    stage.layers = static_cast<int64_t>(layers[i].size());
  }
  return stages;
}

Graph marked(const ModelGraph& model, const Cuts& cuts) {
  Graph graph = model.graph;
  for (size_t i = 0; i < cuts.ends.size(); ++i) graph.output(stage_output(i), cuts.ends[i]);
  return graph;
}

training::StepOptions step_options(const engine::Network& network, const SummaryOptions& options) {
  training::StepOptions step;
  step.optimizer.kind = training::OptimizerOptions::Kind::sgd;
  step.frozen = network.frozen_by(options.freeze);
  return step;
}

// Batch norm needs two values a channel to train, and maps of one position have one a picture.
bool can_train(const ModelGraph& model, const std::set<std::string>& frozen) {
  const Graph& graph = model.graph;
  return std::ranges::none_of(graph.nodes(), [&](const NodeInfo& node) {
    if (!node.op.as<BatchNorm>()) return false;
    const Shape& shape = graph.type(node.inputs[0]).shape;
    if (shape.batch() * shape.height() * shape.width() > 1) return false;
    return std::ranges::any_of(std::array{node.inputs[1], node.inputs[2]},
                               [&](ValueId parameter) { return !frozen.contains(graph.state_of(parameter)->name); });
  });
}

// Of the steps that a training takes.
passes::PipelineOptions pipeline() { return {.recompute = {.device = &device().traits()}}; }

void add_held(const engine::Network& network, const SummaryOptions& options, const ModelGraph& model, const Cuts& cuts, Summary& result) {
  std::vector<StageSummary>& stages = result.stages;
  const auto inference = held_for_inference(passes::optimize(passes::lower_mode(marked(model, cuts), {})), stages.size());
  for (size_t i = 0; i < stages.size(); ++i) {
    stages[i].inference_bytes = inference[i];
    result.inference_bytes = std::max(result.inference_bytes, inference[i]);
  }
  if (!model.logits.valid()) return;
  const training::StepOptions step = step_options(network, options);
  const int64_t pictures = can_train(model, step.frozen) ? 1 : 2;
  const ModelGraph several = network.build(pictures, options.height, options.width);
  Graph graph = marked(several, cuts_of(several, result.taps));
  graph.output(slots::kLogits.name, several.logits);
  const auto held =
      held_for_training(training::build_step(passes::lower_mode(graph, {true, step.frozen}), step, pipeline()), stages.size());
  for (size_t i = 0; i < stages.size(); ++i) {
    stages[i].training_bytes = held[i] / pictures;
    result.training_bytes += stages[i].training_bytes;
  }
}

std::vector<NodeSummary> nodes_of(const ModelGraph& model) {
  const bool tokens = std::ranges::any_of(model.taps, &Tap::tokens);
  const std::vector<std::string> labels = node_labels(model.graph);
  std::vector<NodeSummary> nodes;
  for (size_t n = 0; n < labels.size(); ++n) {
    const NodeInfo& node = model.graph.nodes()[n];
    const Shape& shape = model.graph.type(node.outputs[0]).shape;
    if (shape.rank() != Shape::max_rank) continue;
    nodes.push_back({labels[n], std::string(node.op.name()), shape_of(shape)});
    if (tokens && shape.width() == 1 && shape.height() > 1) nodes.back().shape = {shape.height(), shape.channels()};
  }
  return nodes;
}

void add_memory(const engine::Network& network, const SummaryOptions& options, Summary& result) {
  MemorySummary& memory = result.memory;
  memory.weights = static_cast<int64_t>(network.store()->bytes());
  const auto inference =
      engine::compile_inference(network, {options.batch, options.height, options.width}, device(), std::make_shared<engine::Arena>());
  memory.inference = static_cast<int64_t>(inference->memory().arena);
  memory.inference_weights = static_cast<int64_t>(inference->memory().constants);
  const ModelGraph model = network.build(options.batch, options.height, options.width);
  if (!model.logits.valid()) return;

  const training::StepOptions step_of = step_options(network, options);
  if (!can_train(model, step_of.frozen)) return;
  const Graph step = training::build_step(training::lower_for_training(model, step_of.frozen), step_of, pipeline());
  for (const State& state : step.states())
    if (state.role == StateRole::optimizer) memory.optimizer += static_cast<int64_t>(step.type(state.value).bytes());
  result.training_multiply_adds = multiply_adds_of(step) / options.batch;
  // The step gets a store of its own: the moments must not stay behind in the model's.
  const auto training =
      engine::Executable::compile(step, device(), std::make_shared<engine::StateStore>(), std::make_shared<engine::Arena>());
  memory.training = static_cast<int64_t>(training->memory().arena + training->memory().constants);
}

}  // namespace

Summary summarize(const engine::Network& network, const SummaryOptions& options) {
  Summary result;
  result.model = network.variant().name;
  result.height = options.height > 0 ? options.height : network.preprocessing().height;
  result.width = options.width > 0 ? options.width : network.preprocessing().width;
  result.batch = options.batch;
  result.classes = network.class_count();
  result.parameters = network.parameter_count();
  result.trainable_parameters = result.parameters;
  for (const std::string& name : network.frozen_by(options.freeze))
    result.trainable_parameters -= network.store()->at(name).type.elements();
  const ModelGraph model = network.build(1, options.height, options.width);
  result.taps = taps_of(model);
  const Cuts cuts = cuts_of(model, result.taps);
  result.stages = plain_stages(model, cuts);
  for (const StageSummary& stage : result.stages) result.multiply_adds += stage.multiply_adds;
  add_held(network, options, model, cuts, result);
  result.nodes = nodes_of(model);
  result.explanations = explain::explain(explain::Subject(model, network.variant()));
  add_memory(network, options, result);
  return result;
}

std::vector<ModelInfo> list_models() {
  std::vector<ModelInfo> result;
  for (const std::string& name : models::names()) {
    const models::Variant& variant = models::get(name);
    BuildOptions options;
    options.height = options.width = variant.input_size;
    options.classes = variant.classes;
    const Graph graph = models::build(variant, options).graph;
    ModelInfo info{variant.name, variant.family, variant.layout, variant.input_size, variant.feature_width, 0};
    for (const State& state : graph.states())
      if (state.role == StateRole::parameter) info.parameters += graph.type(state.value).elements();
    result.push_back(std::move(info));
  }
  return result;
}

Summary summary(const Model& model, const SummaryOptions& options) { return summarize(model.implementation().network(), options); }

Summary summary(const std::string& name_or_file, const SummaryOptions& options) {
  return summarize(*plain_network(name_or_file, {}, options.tag), options);
}

std::string graph_text(const std::string& name_or_file, const SummaryOptions& options, bool compiled) {
  const auto network = plain_network(name_or_file);
  const ModelGraph model = network->build(options.batch, options.height, options.width);
  if (compiled) return print(engine::inference_graph(model, {last_output(model)}));
  Graph graph = model.graph;
  for (const Tap& tap : model.taps) graph.output(tap.name, tap.value);
  graph.output(last_output(model), model.logits.valid() ? model.logits : model.pre_logits);
  return print(graph);
}

}  // namespace fovea
