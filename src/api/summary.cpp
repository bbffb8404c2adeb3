#include <fovea/inspect.h>

#include <algorithm>
#include <set>

#include "api/implementation.h"
#include "backends/cpu/cpu.h"
#include "base/error.h"
#include "engine/executable.h"
#include "passes/drop_dead.h"
#include "train/step.h"

namespace fovea {
namespace {

int64_t multiply_adds_of(const Graph& graph, const NodeInfo& node) {
  return node.op.cost(graph.types(node.inputs), graph.types(node.outputs)).multiply_adds;
}

int64_t multiply_adds_of(const Graph& graph) {
  int64_t sum = 0;
  for (const NodeInfo& node : graph.nodes()) sum += multiply_adds_of(graph, node);
  return sum;
}

// Everything between one cut through the network and the next. The graph has one picture and runs forward.
StageSummary stage_between(const Graph& graph, std::set<uint32_t>& seen, ValueId end, const std::string& name) {
  StageSummary stage;
  stage.name = name;
  std::set<std::string> layers;
  std::vector<ValueId> open{end};
  while (!open.empty()) {
    const ValueId value = open.back();
    open.pop_back();
    if (!seen.insert(value.index).second) continue;
    if (const State* state = graph.state_of(value); state && state->role == StateRole::parameter) {
      stage.parameters += graph.type(value).elements();
      layers.insert(state->name.substr(0, state->name.rfind('.')));
    }
    const NodeId producer = graph.value(value).producer;
    if (!producer.valid()) continue;
    const NodeInfo& node = graph.node(producer);
    open.insert(open.end(), node.inputs.begin(), node.inputs.end());
    if (value != node.outputs[0]) continue;  // count a node once
    stage.multiply_adds += multiply_adds_of(graph, node);
    for (ValueId output : node.outputs) stage.activation_bytes += static_cast<int64_t>(graph.type(output).bytes());
  }
  stage.layers = static_cast<int64_t>(layers.size());
  const Shape& shape = graph.type(end).shape;
  stage.shape = {shape.channels(), shape.height(), shape.width()};
  return stage;
}

void add_stages(const engine::Network& network, const ModelGraph& model, Summary& result) {
  std::set<uint32_t> seen;
  for (const Tap& tap : model.taps) {
    const Shape& shape = model.graph.type(tap.value).shape;
    result.taps.push_back({tap.name, tap.channels, tap.stride, {shape.channels(), shape.height(), shape.width()}});
    result.stages.push_back(stage_between(model.graph, seen, tap.value, tap.name));
  }
  StageSummary rest = stage_between(model.graph, seen, model.pooled, "pooling");
  result.stages.push_back(rest);
  StageSummary head = stage_between(model.graph, seen, model.logits, network.variant().head);
  head.shape = {network.class_count()};
  result.stages.push_back(head);
  for (const StageSummary& stage : result.stages) result.multiply_adds += stage.multiply_adds;
}

Graph training_graph(const engine::Network& network, const SummaryOptions& options, int64_t batch) {
  training::StepOptions step;
  step.optimizer.kind = training::OptimizerOptions::Kind::sgd;
  step.frozen = network.frozen_by(options.freeze);
  return training::build_step(training::lower_for_training(network.build(batch, options.height, options.width), step.frozen), step);
}

void add_memory(const engine::Network& network, const SummaryOptions& options, Summary& result) {
  MemorySummary& memory = result.memory;
  memory.weights = static_cast<int64_t>(network.store()->bytes());
  const ModelGraph model = network.build(options.batch, options.height, options.width);
  const auto inference = engine::Executable::compile(engine::inference_graph(model, {"logits"}), cpu::cpu_backend(), network.store(),
                                                     std::make_shared<engine::Arena>());
  memory.inference = static_cast<int64_t>(inference->memory().arena);
  memory.inference_weights = static_cast<int64_t>(inference->memory().constants);

  const Graph step = training_graph(network, options, options.batch);
  for (const State& state : step.states())
    if (state.role == StateRole::optimizer) memory.optimizer += static_cast<int64_t>(step.type(state.value).bytes());
  result.training_multiply_adds = multiply_adds_of(step) / options.batch;
  // A store of its own: the moments must not stay behind in the model's.
  const auto training =
      engine::Executable::compile(step, cpu::cpu_backend(), std::make_shared<engine::StateStore>(), std::make_shared<engine::Arena>());
  memory.training = static_cast<int64_t>(training->memory().arena + training->memory().constants);
}

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
  add_stages(network, network.build(1, options.height, options.width), result);
  add_memory(network, options, result);
  return result;
}

}  // namespace

std::vector<ModelInfo> list_models() {
  std::vector<ModelInfo> result;
  for (const std::string& name : models::names()) {
    const models::Variant& variant = models::get(name);
    BuildOptions options;
    options.height = options.width = variant.input_size;
    const Graph graph = models::build(variant, options).graph;
    ModelInfo info{variant.name, variant.family, variant.layout, variant.input_size, variant.feature_width, 0};
    for (const State& state : graph.states())
      if (state.role == StateRole::parameter) info.parameters += graph.type(state.value).elements();
    result.push_back(std::move(info));
  }
  return result;
}

Summary summary(const Model& model, const SummaryOptions& options) { return summarize(model.implementation().network(), options); }

Summary summary(const std::string& name_or_file, const SummaryOptions& options) { return summarize(*plain_network(name_or_file), options); }

std::string graph_text(const std::string& name_or_file, const SummaryOptions& options, bool compiled) {
  const auto network = plain_network(name_or_file);
  const ModelGraph model = network->build(options.batch, options.height, options.width);
  if (compiled) return print(engine::inference_graph(model, {"logits"}));
  Graph graph = model.graph;
  for (const Tap& tap : model.taps) graph.output(tap.name, tap.value);
  graph.output("logits", model.logits);
  return print(graph);
}

}  // namespace fovea
