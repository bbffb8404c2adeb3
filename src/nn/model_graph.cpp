#include "nn/model_graph.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/nearest.h"
#include "nn/layers.h"
#include "ops/activation.h"
#include "ops/average_pool2d.h"
#include "ops/blur_pool2d.h"
#include "ops/conv2d.h"
#include "ops/cross_attention.h"
#include "ops/max_pool2d.h"
#include "ops/view.h"

namespace fovea {
namespace {

std::string layer_of(const State& state) { return state.name.substr(0, state.name.rfind('.') + 1); }

// By value: whether `value` depends on it.
std::vector<bool> needed_for(const Graph& graph, ValueId value) {
  std::vector<bool> needed(graph.value_count());
  needed[value.index] = true;
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node)
    if (std::ranges::any_of(node->outputs, [&](ValueId output) { return needed[output.index]; }))
      for (ValueId input : node->inputs) needed[input.index] = true;
  return needed;
}

// What a node does, for the labels of those that share a path.
std::string deed_of(const NodeInfo& node) {
  if (const auto* activation = node.op.as<Activation>()) return print_field(activation->kind);
  return std::string(node.op.name());
}

// Whether a value of this shape holds tokens, as some tap does.
bool tokens_like(const ModelGraph& model, const Shape& shape) {
  for (const Tap& tap : model.taps)
    if (tap.tokens && shape.width() == 1 && shape.height() == tap.prefix + tap.grid.height * tap.grid.width) return true;
  return false;
}

OutputView tap_output(ModelGraph& model, const Tap& tap) {
  if (!tap.tokens) return {tap.value, OutputView::Form::map};
  const Value tokens(model.graph, tap.value);
  const Value places = tap.prefix == 0 ? tokens : slice_tokens(tokens, tap.prefix, tokens.height());
  const Shape grid{tokens.batch(), tokens.channels(), tap.grid.height, tap.grid.width};
  return {emit(View{grid}, std::array{places}, tap.name).front().id(), OutputView::Form::map};
}

// As the library has them: [N, T, C].
OutputView tokens_output(ModelGraph& model, ValueId value) {
  const Value tokens(model.graph, value);
  const View view{{tokens.batch(), tokens.height(), tokens.channels()}};
  return {emit(view, std::array{tokens}, model.graph.node(model.graph.value(value).producer).name).front().id(), OutputView::Form::tokens};
}

// "TAP:tokens", "TAP:class_token"; nothing for another name.
std::optional<OutputView> tokens_output(ModelGraph& model, const std::string& name) {
  for (const Tap& tap : model.taps) {
    if (!tap.tokens) continue;
    if (name == tap.name + ":tokens") return tokens_output(model, tap.value);
    if (name == tap.name + ":class_token" && tap.prefix > 0) {
      const Value first = slice_tokens(Value(model.graph, tap.value), 0, 1);
      return OutputView{first.id(), OutputView::Form::vector};
    }
  }
  return std::nullopt;
}

std::optional<OutputView> node_output(ModelGraph& model, const std::string& name) {
  const Graph& graph = model.graph;
  const std::vector<std::string> labels = node_labels(graph);
  ValueId value;
  for (size_t n = 0; n < labels.size(); ++n) {
    const ValueId result = graph.nodes()[n].outputs[0];
    if (labels[n] == name) {
      value = result;
      break;
    }
    if (labels[n].starts_with(name + ".")) value = result;
  }
  if (!value.valid()) return std::nullopt;
  const Shape& shape = graph.type(value).shape;
  if (shape.rank() != Shape::max_rank) return std::nullopt;
  if (tokens_like(model, shape)) return tokens_output(model, value);
  return OutputView{value, shape.height() == 1 && shape.width() == 1 ? OutputView::Form::vector : OutputView::Form::map};
}

[[noreturn]] void fail_unknown(const ModelGraph& model, const std::string& name) {
  if (name == "logits") fail(ErrorKind::usage, "the network has no head, so it gives no logits: ask for pre_logits, or give it a head");
  std::string others = model.logits.valid() ? "logits, pooled, pre_logits" : "pooled, pre_logits";
  std::vector<std::string> names = node_labels(model.graph);
  names.insert(names.end(), {"logits", "pooled", "pre_logits"});
  for (const Tap& tap : model.taps) {
    others += ", " + tap.name;
    if (std::ranges::find(names, tap.name) == names.end()) names.push_back(tap.name);
    if (tap.tokens) names.push_back(tap.name + ":tokens");
    if (tap.tokens && tap.prefix > 0) names.push_back(tap.name + ":class_token");
  }
  fail(ErrorKind::usage, "the network has no output '{}'; there are {}, and every layer (the nearest: {})", name, others,
       nearest(name, names));
}

}  // namespace

Features features_of(Value map) {
  const Value pooled = global_average_pool(map);
  return {map, pooled, pooled};
}

OutputView last_map(ModelGraph& model) {
  const bool tokens = !model.taps.empty() && model.taps.back().tokens;
  return tokens ? tokens_output(model, model.taps.back().value) : OutputView{model.map, OutputView::Form::map};
}

OutputView find_output(ModelGraph& model, const std::string& name) {
  if (name == "last_map") return last_map(model);
  if (name == "logits" && model.logits.valid()) return {model.logits, OutputView::Form::vector};
  if (name == "pooled") return {model.pooled, OutputView::Form::vector};
  if (name == "head_input" && model.head_input.valid()) return {model.head_input, OutputView::Form::vector};
  if (name == "pre_logits") return {model.pre_logits, OutputView::Form::vector};
  for (const Tap& tap : model.taps)
    if (tap.name == name) return tap_output(model, tap);
  if (const auto tokens = tokens_output(model, name)) return *tokens;
  if (const auto node = node_output(model, name)) return *node;
  fail_unknown(model, name);
}

std::string last_output(const ModelGraph& model) { return model.logits.valid() ? "logits" : "pre_logits"; }

std::vector<std::string> node_labels(const Graph& graph) {
  std::vector<std::string> labels;
  std::map<std::string, int> seen;
  for (const NodeInfo& node : graph.nodes()) {
    std::string label = node.name;
    if (seen[label]++ > 0) label += ":" + deed_of(node);
    if (label != node.name && seen[label]++ > 0) label += std::to_string(seen[label]);
    labels.push_back(std::move(label));
  }
  return labels;
}

std::vector<std::string> states_below(const Graph& graph, ValueId value) {
  const std::vector<bool> needed = needed_for(graph, value);
  // A counter is read by no node; it goes with its layer.
  std::set<std::string> layers;
  for (const State& state : graph.states())
    if (needed[state.value.index]) layers.insert(layer_of(state));
  std::vector<std::string> names;
  for (const State& state : graph.states())
    if (needed[state.value.index] || (graph.type(state.value).dtype == DType::i64 && layers.contains(layer_of(state))))
      names.push_back(state.name);
  return names;
}

std::vector<int64_t> strides_from(const Graph& graph, ValueId image) {
  std::vector<int64_t> strides(graph.value_count());
  strides[image.index] = 1;
  for (const NodeInfo& node : graph.nodes()) {
    int64_t stride = 0;
    for (ValueId input : node.inputs) stride = std::max(stride, strides[input.index]);
    // What attention gives has its queries' places, whatever the keys' are.
    if (node.op.as<CrossAttention>() && strides[node.inputs[0].index] > 0) stride = strides[node.inputs[0].index];
    if (const auto* conv = node.op.as<Conv2d>()) stride *= conv->stride.height;
    if (const auto* pool = node.op.as<MaxPool2d>()) stride *= pool->stride.height;
    if (const auto* pool = node.op.as<AveragePool2d>()) stride *= pool->stride.height;
    if (const auto* pool = node.op.as<BlurPool2d>()) stride *= pool->stride;
    for (ValueId output : node.outputs) strides[output.index] = stride;
  }
  return strides;
}

}  // namespace fovea
