#include "nn/model_graph.h"

#include <algorithm>
#include <set>

#include "ops/conv2d.h"
#include "ops/max_pool2d.h"

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

}  // namespace

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
    if (const auto* conv = node.op.as<Conv2d>()) stride *= conv->stride.height;
    if (const auto* pool = node.op.as<MaxPool2d>()) stride *= pool->stride.height;
    for (ValueId output : node.outputs) strides[output.index] = stride;
  }
  return strides;
}

}  // namespace fovea
