#include "export/onnx_export.h"

#include "base/error.h"
#include "base/json.h"
#include "base/json_value.h"
#include "export/constants.h"
#include "export/converters.h"
#include "export/preprocess.h"
#include "ir/slots.h"
#include "passes/drop_dead.h"
#include "passes/fold_batch_norm.h"
#include "passes/lower_mode.h"

namespace fovea::onnx {
namespace {

constexpr const char* kInput = slots::kImage.name;
const Port::Dimension kAnyBatch{Port::kFree, "batch"};

struct Inference {
  Graph graph;
  std::vector<OutputView::Form> forms;  // by output
};

Inference inference_graph(ModelGraph model, const ExportOptions& options) {
  Inference result;
  std::vector<std::string> outputs = options.outputs;
  if (outputs.empty()) outputs = {model.logits.valid() ? slots::kLogits.name : "pre_logits"};
  for (const std::string& name : outputs) {
    const OutputView output = find_output(model, name);
    if (model.graph.find_output(name)) fail(ErrorKind::usage, "the output '{}' is named twice", name);
    model.graph.output(name, output.value);
    result.forms.push_back(output.form);
  }
  result.graph = passes::drop_dead(passes::lower_mode(model.graph, {}));
  if (options.fold_batch_norm) result.graph = passes::fold_batch_norm(result.graph);
  return result;
}

Layout layout_of(OutputView::Form form) {
  switch (form) {
    case OutputView::Form::map:
      return Layout::channels_first;
    case OutputView::Form::vector:
      return Layout::rows;
    case OutputView::Form::tokens:
      return Layout::plain;
  }
  fail(ErrorKind::internal, "an output without a form");
}

Port output_port(const std::string& name, const Shape& shape, OutputView::Form form) {
  Port port{name, DType::f32, {kAnyBatch}};
  const size_t rank = form == OutputView::Form::vector ? 2 : shape.dims().size();
  for (size_t i = 1; i < rank; ++i) port.shape.push_back({shape.dims()[i]});
  return port;
}

Port input_port(const Shape& shape, bool preprocess) {
  if (preprocess) return {kInput, DType::u8, {kAnyBatch, {Port::kFree, "height"}, {Port::kFree, "width"}, {3}}};
  return {kInput, DType::f32, {kAnyBatch, {shape.channels()}, {shape.height()}, {shape.width()}}};
}

std::map<std::string, std::string> metadata_of(const engine::Network& network) {
  std::map<std::string, std::string> metadata{{"fovea.architecture", network.variant().name},
                                              {"fovea.preprocessing", to_string(network.preprocessing())}};
  try {
    if (!network.classes().empty()) metadata["fovea.classes"] = strict_json_text(network.classes());
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::usage, "the classes' names cannot be written: {}", error.what());
  }
  return metadata;
}

}  // namespace

OnnxModel translate(const engine::Network& network, const backend::Backend& backend, const ExportOptions& options) {
  if (options.preprocess && network.channels() != 3)
    fail(ErrorKind::unsupported, "preprocessing is for pictures of 3 channels, {} takes {}", network.variant().name, network.channels());
  const Inference inference = inference_graph(network.build(kBatch), options);
  const Graph& graph = inference.graph;

  std::set<std::string> reserved{kInput};
  for (const NamedValue& output : graph.outputs()) reserved.insert(output.name);
  Translation to(graph, compute_constants(graph, network.store(), backend), reserved);
  const ValueId image = graph.inputs()[0].value;
  to.set(image, Layout::channels_first, options.preprocess ? preprocess(to, network.preprocessing(), kInput) : kInput);
  for (const NodeInfo& node : graph.nodes()) {
    if (to.is_constant(node.outputs[0])) continue;
    to.at(node.name);
    in_context(node.name, [&] { convert(to, node); });
  }

  OnnxModel model;
  model.name = network.variant().name;
  model.metadata = metadata_of(network);
  model.inputs = {input_port(graph.type(image).shape, options.preprocess)};
  std::vector<Translation::NamedOutput> outputs;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const auto& [name, value] = graph.outputs()[i];
    if (to.is_constant(value)) fail(ErrorKind::usage, "the output '{}' does not depend on the pictures", name);
    to.at(name);
    outputs.push_back({name, to.value(value, layout_of(inference.forms[i]))});
    model.outputs.push_back(output_port(name, to.shape(value), inference.forms[i]));
  }
  to.set_outputs(outputs);
  model.nodes = to.take_nodes();
  model.initializers = to.take_initializers();
  return model;
}

}  // namespace fovea::onnx
