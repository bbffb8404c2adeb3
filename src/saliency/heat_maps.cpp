#include "saliency/heat_maps.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "autodiff/autodiff.h"
#include "base/error.h"
#include "image/channels.h"
#include "image/fit.h"
#include "ir/slots.h"
#include "ops/attention.h"
#include "ops/sum_to.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"

namespace fovea::saliency {
namespace {

constexpr const char *kLogits = slots::kLogits.name, *kMap = "map", *kGradient = "gradient of the map", *kClass = "class";

std::string attention_output(size_t layer) { return fmt::format("attention {}", layer); }

std::vector<NodeId> attentions_of(const Graph& graph) {
  std::vector<NodeId> nodes;
  for (uint32_t n = 0; n < graph.node_count(); ++n)
    if (graph.node(NodeId{n}).op.as<Attention>()) nodes.push_back(NodeId{n});
  return nodes;
}

struct Target {
  ValueId value;
  Size2 grid;
  int64_t prefix = 0;
};

Target target_of(const ModelGraph& model, const Tap& tap) {
  const Shape& shape = model.graph.type(tap.value).shape;
  return {tap.value, tap.tokens ? tap.grid : Size2{shape.height(), shape.width()}, tap.prefix};
}

// Of a tap or any layer that gives a map, or tokens as some tap has them.
Target find_target(ModelGraph& model, const std::string& name) {
  for (const Tap& tap : model.taps)
    if (tap.name == name) return target_of(model, tap);
  const OutputView view = find_output(model, name);
  const Graph& graph = model.graph;
  if (view.form == OutputView::Form::vector)
    fail(ErrorKind::usage, "{} is a vector {}, no map: it has no place in the picture", name, to_string(graph.type(view.value)));
  if (view.form == OutputView::Form::map) {
    const Shape& shape = graph.type(view.value).shape;
    return {view.value, {shape.height(), shape.width()}};
  }
  const ValueId tokens = graph.node(graph.value(view.value).producer).inputs[0];  // of which the output is a view
  const Shape& shape = graph.type(tokens).shape;
  for (const Tap& tap : model.taps)
    if (tap.tokens && shape.height() == tap.prefix + tap.grid.height * tap.grid.width) return {tokens, tap.grid, tap.prefix};
  fail(ErrorKind::internal, "{} is tokens of no grid", name);
}

// The map that the features are the mean of. Where there is attention, what the last block reads instead: what comes after it no longer
// tells the patches apart, since the head reads the class token.
std::string default_tap(const ModelGraph& model) {
  const Graph& graph = model.graph;
  const std::vector<NodeId> attentions = attentions_of(graph);
  std::string last;
  for (const Tap& tap : model.taps) {
    const bool read = !attentions.empty() && graph.value(tap.value).producer < attentions.back();
    if (read || tap.value == model.map) last = tap.name;
  }
  return last.empty() ? node_labels(graph)[graph.value(model.map).producer.index] : last;
}

// Bilinear between the centres of the grid's cells, level beyond the outermost ones, as torch's interpolate with align_corners=False.
class Axis {
 public:
  Axis(double position, int64_t count) {
    const double at = std::clamp(position - 0.5, 0.0, static_cast<double>(count - 1));
    first = static_cast<int64_t>(at);
    second = std::min(first + 1, count - 1);
    share = static_cast<float>(at - static_cast<double>(first));
  }
  int64_t first, second;
  float share;  // of the second
};

// Picture pixels along one axis, each as a position on the grid; nothing for those that are not in the network's input.
std::vector<std::optional<Axis>> axes(int64_t pixels, int64_t resized, int64_t begin, int64_t input, int64_t count) {
  std::vector<std::optional<Axis>> result(static_cast<size_t>(pixels));
  for (int64_t i = 0; i < pixels; ++i) {
    const double at =
        (static_cast<double>(i) + 0.5) * static_cast<double>(resized) / static_cast<double>(pixels) - static_cast<double>(begin);
    if (at < 0 || at > static_cast<double>(input)) continue;
    result[static_cast<size_t>(i)] = Axis(at * static_cast<double>(count) / static_cast<double>(input), count);
  }
  return result;
}

}  // namespace

HeatMaps::HeatMaps(std::shared_ptr<const engine::Network> network, const backend::Backend& backend, const HeatMapOptions& options)
    : network_(std::move(network)), method_(options.method), tap_(options.tap) {
  ModelGraph model = network_->build(1);
  if (method_ == HeatMethod::automatic) {
    const bool attends = !attentions_of(model.graph).empty();
    method_ = attends && tap_.empty() ? HeatMethod::rollout : HeatMethod::grad_cam;
  }
  method_ == HeatMethod::grad_cam ? add_grad_cam(model) : add_rollout(model);
  executable_ =
      engine::Executable::compile(passes::optimize(std::move(model.graph)), backend, network_->store(), std::make_shared<engine::Arena>());
}

void HeatMaps::add_grad_cam(ModelGraph& model) {
  const std::string& name = network_->variant().name;
  if (!model.logits.valid()) fail(ErrorKind::usage, "{} has no head, so there is no class that a map could speak for", name);
  if (tap_.empty()) tap_ = default_tap(model);
  const Target target = find_target(model, tap_);
  grid_ = target.grid;
  prefix_ = target.prefix;
  model.graph.output(kLogits, model.logits);
  model.graph.output(kMap, target.value);
  model.graph = passes::lower_mode(model.graph, {});
  Graph& graph = model.graph;
  const ValueId logits = *graph.find_output(kLogits), map = *graph.find_output(kMap);
  const ValueId one_class = graph.input(kClass, graph.type(logits));
  const ValueId gradient = autodiff::gradients(graph, logits, one_class, std::vector{map})[0];
  if (!gradient.valid()) fail(ErrorKind::usage, "the classes of {} do not depend on {}", name, tap_);
  graph.output(kGradient, gradient);
}

void HeatMaps::add_rollout(ModelGraph& model) {
  const std::string& name = network_->variant().name;
  if (!tap_.empty()) fail(ErrorKind::usage, "rollout goes through every block, from the picture on; {} is a tap for Grad-CAM", tap_);
  if (attentions_of(model.graph).empty()) fail(ErrorKind::usage, "{} has no attention to roll out; Grad-CAM explains it", name);
  for (const Tap& tap : model.taps) {
    if (!tap.tokens) continue;
    grid_ = tap.grid;
    prefix_ = std::max(prefix_, tap.prefix);
  }
  if (model.logits.valid()) model.graph.output(kLogits, model.logits);
  model.graph = passes::lower_mode(model.graph, {});
  Graph& graph = model.graph;
  const int64_t tokens = prefix_ + grid_.height * grid_.width;
  for (NodeId id : attentions_of(graph)) {
    const NodeInfo node = graph.node(id);  // a copy: adding moves the table
    const AttentionProbabilities probabilities{node.op.as<Attention>()->heads};
    const ValueId of_heads = graph.add(probabilities, {node.inputs[0]}, node.name)[0];
    if (graph.type(of_heads).shape.height() != tokens)
      fail(ErrorKind::unsupported, "{} attends to {} tokens, the network's grid has {}", node.name, graph.type(of_heads).shape.height(),
           tokens);
    graph.output(attention_output(heads_.size()), graph.add(SumTo{{1, 1, tokens, tokens}}, {of_heads}, node.name)[0]);
    heads_.push_back(probabilities.heads);
  }
}

Look HeatMaps::look(std::span<const float> prepared, int64_t class_index) {
  if (!executable_->current()) executable_->prepare();
  const std::span<float> image = executable_->input(slots::kImage);
  if (prepared.size() != image.size())
    fail(ErrorKind::mismatch, "a prepared picture of {} numbers where the network takes {}", prepared.size(), image.size());
  const auto fill = [&](int64_t explained) {
    std::ranges::copy(prepared, image.begin());  // the run may have written over it
    if (method_ != HeatMethod::grad_cam) return;
    const std::span<float> one = executable_->input_as<float>(kClass);
    std::ranges::fill(one, 0.0f);
    one[static_cast<size_t>(explained)] = 1;
  };
  Look look;
  look.class_index = class_index;
  fill(std::max<int64_t>(class_index, 0));
  executable_->run();
  if (executable_->graph().find_output(kLogits)) {
    const std::span<const float> logits = executable_->output_as<float>(kLogits);
    look.logits.assign(logits.begin(), logits.end());
    if (class_index < 0) look.class_index = std::ranges::max_element(look.logits) - look.logits.begin();
    if (class_index < 0 && look.class_index != 0 && method_ == HeatMethod::grad_cam) {  // the gradient was the first class's
      fill(look.class_index);
      executable_->run();
    }
  }
  look.grid = method_ == HeatMethod::grad_cam ? grad_cam() : rollout();
  return look;
}

HeatMaps::OfPicture HeatMaps::look(const Image& picture, int64_t class_index) {
  const Preprocessing& size = network_->preprocessing();
  image::require_channels(picture, network_->channels());
  std::vector<float> prepared(static_cast<size_t>(picture.channels * size.height * size.width)), room;
  image::normalize_into(picture, size, prepared.data());
  OfPicture result{look(image::with_channels(prepared, size, network_->channels(), room), class_index), {}};
  result.heat = on_picture(result.look.grid, picture.height, picture.width, size);
  return result;
}

Grid HeatMaps::grad_cam() const {
  const Shape& shape = executable_->graph().type(*executable_->graph().find_output(kMap)).shape;
  const size_t skipped = static_cast<size_t>(prefix_ * shape.channels());
  const auto map = executable_->output_as<float>(kMap).subspan(skipped);
  return {grid_.height, grid_.width, weighted_sum(map, executable_->output_as<float>(kGradient).subspan(skipped), shape.channels())};
}

Grid HeatMaps::rollout() const {
  std::vector<std::vector<float>> layers;
  for (size_t i = 0; i < heads_.size(); ++i) {
    const auto sums = executable_->output_as<float>(attention_output(i));
    layers.emplace_back(sums.begin(), sums.end());
    for (float& sum : layers.back()) sum /= static_cast<float>(heads_[i]);
  }
  return {grid_.height, grid_.width, roll_out(layers, prefix_ + grid_.height * grid_.width, prefix_)};
}

std::vector<float> weighted_sum(std::span<const float> activations, std::span<const float> gradients, int64_t channels) {
  const int64_t positions = static_cast<int64_t>(activations.size()) / channels;
  std::vector<double> weights(static_cast<size_t>(channels));
  for (size_t i = 0; i < gradients.size(); ++i) weights[i % weights.size()] += gradients[i];
  std::vector<float> result;
  for (int64_t p = 0; p < positions; ++p) {
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c) sum += weights[static_cast<size_t>(c)] * activations[static_cast<size_t>(p * channels + c)];
    result.push_back(static_cast<float>(std::max(sum / static_cast<double>(positions), 0.0)));
  }
  return result;
}

std::vector<float> roll_out(const std::vector<std::vector<float>>& probabilities, int64_t tokens, int64_t prefix) {
  // A row of the product of all layers, from the last one down: a vector times one matrix after the other.
  const size_t count = static_cast<size_t>(tokens);
  std::vector<double> row(count, prefix > 0 ? 0 : 1 / static_cast<double>(tokens)), below(count);
  if (prefix > 0) row[0] = 1;
  for (auto layer = probabilities.rbegin(); layer != probabilities.rend(); ++layer) {
    for (size_t key = 0; key < count; ++key) below[key] = 0.5 * row[key];  // the shortcut
    for (size_t query = 0; query < count; ++query) {
      const double weight = 0.5 * row[query];
      if (weight == 0) continue;
      const float* from = layer->data() + query * count;
      for (size_t key = 0; key < count; ++key) below[key] += weight * from[key];
    }
    std::swap(row, below);
  }
  return {row.begin() + prefix, row.end()};
}

Tensor on_picture(const Grid& grid, int64_t height, int64_t width, const Preprocessing& preprocessing) {
  const image::Placement placement = image::placement_of({width, height}, preprocessing);
  const auto rows = axes(height, placement.size.height, placement.window.top, preprocessing.height, grid.height);
  const auto columns = axes(width, placement.size.width, placement.window.left, preprocessing.width, grid.width);
  const float most = *std::ranges::max_element(grid.values), scale = most > 0 ? 1 / most : 0;
  const auto at = [&](int64_t y, int64_t x) { return grid.values[static_cast<size_t>(y * grid.width + x)] * scale; };
  Tensor heat(DType::f32, {height, width});
  float* out = heat.mutable_values<float>().data();
  for (const auto& y : rows)
    for (const auto& x : columns) {
      if (y && x) {
        const float above = std::lerp(at(y->first, x->first), at(y->first, x->second), x->share);
        const float below = std::lerp(at(y->second, x->first), at(y->second, x->second), x->share);
        *out = std::clamp(std::lerp(above, below, y->share), 0.0f, 1.0f);
      }
      ++out;
    }
  return heat;
}

}  // namespace fovea::saliency
