#include "engine/network.h"

#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/nearest.h"
#include "nn/init.h"
#include "ops/conv2d.h"
#include "weights/adapt.h"
#include "weights/load.h"
#include "weights/model_file.h"

namespace fovea::engine {
namespace {

std::vector<std::string> numbered(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

std::string layer_of(const std::string& state) { return state.substr(0, state.rfind('.')); }

std::vector<std::string> tap_names(const ModelGraph& model) {
  std::vector<std::string> names;
  for (const Tap& tap : model.taps) names.push_back(tap.name);
  return names;
}

// Copies the rows of `from` that belong to `classes` already known.
void keep_rows(const Tensor& from, const std::map<std::string, size_t>& old_row, const std::vector<std::string>& classes, Tensor& to) {
  const size_t row = static_cast<size_t>(to.size()) / classes.size();  // elements of one class
  const auto source = from.values<float>();
  const auto target = to.mutable_values<float>();
  for (size_t i = 0; i < classes.size(); ++i)
    if (const auto known = old_row.find(classes[i]); known != old_row.end())
      std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(known->second * row), row,
                  target.begin() + static_cast<std::ptrdiff_t>(i * row));
}

}  // namespace

std::string first_convolution(const ModelGraph& model) {
  const Graph& graph = model.graph;
  for (const NodeInfo& node : graph.nodes()) {
    if (!node.op.as<Conv2d>() || node.inputs[0] != model.image) continue;
    ValueId weight = node.inputs[1];
    while (!graph.state_of(weight)) weight = graph.node(graph.value(weight).producer).inputs[0];
    return graph.state_of(weight)->name;
  }
  fail(ErrorKind::internal, "no convolution reads the pictures");
}

weights::HeadPlace head_place(const models::Variant& variant) { return {variant.head, variant.feature_width, variant.head_convolution}; }

Network::Network(const models::Variant& variant, NetworkForm form, Preprocessing preprocessing, std::optional<uint64_t> seed)
    : variant_(&variant), form_(std::move(form)), preprocessing_(preprocessing), store_(std::make_shared<StateStore>()) {
  if (form_.classes.empty() && !form_.headless) form_.classes = numbered(variant.classes);
  const Graph graph = build(1).graph;
  store_->declare(graph);
  if (!seed) return;
  for (const State& state : graph.states()) store_->set(state.name, initialize(state, *seed, graph.type(state.value).dtype));
}

std::shared_ptr<Network> Network::clone() const {
  auto copy = std::make_shared<Network>(*variant_, form_, preprocessing_, std::nullopt);
  copy->load(state_dict());
  copy->set_precision(precision_);
  copy->thresholds_ = thresholds_;
  copy->set_seen(seen_);
  return copy;
}

bool is_told(float logit, double threshold) { return static_cast<double>(logit) >= std::log(threshold / (1 - threshold)); }

std::vector<double> Network::thresholds() const {
  if (!form_.head.independent) return {};
  return thresholds_.empty() ? std::vector<double>(form_.classes.size(), 0.5) : thresholds_;
}

void Network::set_thresholds(std::vector<double> thresholds) {
  if (!thresholds.empty() && !form_.head.independent)
    fail(ErrorKind::usage, "thresholds for {}, whose classes exclude each other: the most probable one is the answer", variant_->name);
  if (!thresholds.empty() && thresholds.size() != form_.classes.size())
    fail(ErrorKind::usage, "{} thresholds of {} classes", thresholds.size(), form_.classes.size());
  for (const double one : thresholds)
    if (!(one > 0) || !(one < 1)) fail(ErrorKind::usage, "a threshold of {}, a probability above 0 and below 1 expected", one);
  thresholds_ = std::move(thresholds);
}

ModelGraph Network::build(int64_t batch, int64_t height, int64_t width) const {
  BuildOptions options;
  options.batch = batch;
  options.height = height > 0 ? height : preprocessing_.height;
  options.width = width > 0 ? width : preprocessing_.width;
  options.channels = form_.channels;
  options.classes = class_count();
  options.head = form_.head;
  options.native_height = form_.native.height;
  options.native_width = form_.native.width;
  return models::build(*variant_, options);
}

std::vector<std::string> Network::head_states() const {
  const ModelGraph model = build(1);
  std::vector<std::string> names;
  for (const State& state : model.graph.states())
    if (models::in_head(*variant_, state.name)) names.push_back(state.name);
  return names;
}

void Network::replace_head(std::vector<std::string> classes, const HeadOptions& head, uint64_t seed, bool keep_known) {
  if (classes.empty()) fail(ErrorKind::usage, "{}: a head without classes", variant_->name);
  std::map<std::string, Tensor> old;
  for (const std::string& name : head_states()) {
    old.emplace(name, store_->get(name));
    store_->erase(name);
  }
  const std::vector<std::string> old_classes = std::exchange(form_.classes, std::move(classes));
  form_.headless = false;
  thresholds_.clear();
  const bool same = form_.head.kind == head.kind && form_.head.hidden == head.hidden;
  form_.head = head;
  const Graph graph = build(1).graph;
  store_->declare(graph);
  std::map<std::string, size_t> old_row;
  for (size_t i = 0; keep_known && same && i < old_classes.size(); ++i) old_row.emplace(old_classes[i], i);
  const bool keeps = std::ranges::any_of(form_.classes, [&](const std::string& name) { return old_row.contains(name); });
  const std::vector<std::string> names = head_states();
  const std::string last_layer = layer_of(names.back());
  const bool only_last = head.kind == HeadKind::linear;  // of two heads each is a last layer
  for (const std::string& name : names) {
    const State& state = *graph.find_state(name);
    Tensor fresh = initialize(state, seed, graph.type(state.value).dtype);
    // What lies before the last layer is kept whole: without it the rows would mean nothing.
    if (keeps && !only_last && layer_of(name) != last_layer)
      fresh = old.at(name);
    else if (keeps)
      keep_rows(old.at(name), old_row, form_.classes, fresh);
    store_->set(name, fresh);
  }
}

void Network::restart_head(uint64_t seed) {
  const Graph graph = build(1).graph;
  for (const std::string& name : head_states()) {
    const State& state = *graph.find_state(name);
    const bool zero = form_.head.kind == HeadKind::linear;
    store_->set(name, zero ? Tensor(DType::f32, state.stored_shape) : initialize(state, seed, graph.type(state.value).dtype));
  }
}

HeadLayer Network::head_layer() const {
  const std::vector<std::string> names = head_states();
  std::vector<Tensor> states;
  for (const std::string& name : names) states.push_back(store_->get(name));
  const auto values = [&](size_t i) { return states[i].values<float>(); };
  HeadLayer layer{{values(0).begin(), values(0).end()}, {values(1).begin(), values(1).end()}};
  if (!has_two_heads()) return layer;
  const size_t rows = layer.bias.size(), width = layer.weight.size() / rows;
  layer.weight.clear();
  for (size_t k = 0; k < rows; ++k)
    for (const size_t head : {0, 2})
      for (const float weight : values(head).subspan(k * width, width)) layer.weight.push_back(weight / 2);
  for (size_t k = 0; k < rows; ++k) layer.bias[k] = (layer.bias[k] + values(3)[k]) / 2;
  return layer;
}

void Network::set_head_layer(const HeadLayer& layer) {
  const std::vector<std::string> names = head_states();
  const size_t heads = has_two_heads() ? 2 : 1, rows = layer.bias.size(), width = layer.weight.size() / rows / heads;
  for (size_t head = 0; head < heads; ++head) {
    Tensor weight = store_->get(names[2 * head]), bias = store_->get(names[2 * head + 1]);
    const auto to = weight.mutable_values<float>();
    for (size_t k = 0; k < rows; ++k)
      for (size_t c = 0; c < width; ++c) to[k * width + c] = static_cast<float>(heads) * layer.weight[(k * heads + head) * width + c];
    std::ranges::copy(layer.bias, bias.mutable_values<float>().begin());
    store_->set(names[2 * head], weight);
    store_->set(names[2 * head + 1], bias);
  }
}

weights::LoadReport Network::load(const weights::StateDict& file, std::vector<std::string> without) {
  const ModelGraph model = build(1);
  const Graph& graph = model.graph;
  std::vector<weights::ExpectedTensor> expected;
  for (const State& state : graph.states()) {
    const DType dtype = graph.type(state.value).dtype;
    expected.push_back({state.name, state.stored_shape, dtype == DType::i64, dtype});
  }
  weights::LoadOptions options;
  options.model = variant_->name;
  options.skip = std::move(without);
  if (form_.head.kind == HeadKind::linear && (form_.headless || class_count() > 0)) options.head = head_place(*variant_);
  options.head.absent = form_.headless;
  options.adapt = [&, first = first_convolution(model)](const weights::ExpectedTensor& wanted,
                                                        const Tensor& found) -> std::optional<Tensor> {
    if (wanted.name == first && found.shape().size() == 4 && found.shape()[1] == 3 && wanted.shape[1] != 3)
      return weights::adapt_input_channels(found, wanted.shape[1]);
    for (const PositionTable& table : model.positions)
      if (table.name == wanted.name && found.shape().size() == 3 && found.shape()[1] != wanted.shape[1])
        return weights::resize_position_table(found, table.prefix, weights::square_grid(found.shape()[1] - table.prefix),
                                              {table.grid.height, table.grid.width});
    return std::nullopt;
  };
  return weights::match(file, expected, options, [&](size_t i, const Tensor& tensor) { store_->set(expected[i].name, tensor); });
}

weights::StateDict Network::state_dict() const {
  weights::StateDict result;
  const ModelGraph model = build(1);
  for (const State& state : model.graph.states()) result.add(state.name, store_->get(state.name));
  return result;
}

std::set<std::string> Network::frozen_by(const std::string& freeze) const {
  if (freeze.empty() || freeze == "none") return {};
  if (freeze == "auto") fail(ErrorKind::usage, "freezing 'auto' goes by the pictures of a class, which only training knows");
  const ModelGraph model = build(1);
  std::vector<std::string> parameters;
  for (const State& state : model.graph.states())
    if (state.role == StateRole::parameter) parameters.push_back(state.name);
  std::set<std::string> frozen;
  for (size_t begin = 0; begin <= freeze.size();) {
    const size_t end = std::min(freeze.find(',', begin), freeze.size());
    freeze_part(model, parameters, freeze.substr(begin, end - begin), frozen);
    begin = end + 1;
  }
  // A network without a head gets one before it trains.
  if (frozen.size() == parameters.size() && class_count() > 0)
    fail(ErrorKind::usage, "{}: freezing '{}' leaves nothing to train", variant_->name, freeze);
  return frozen;
}

void Network::freeze_part(const ModelGraph& model, const std::vector<std::string>& parameters, const std::string& part,
                          std::set<std::string>& frozen) const {
  if (part == "all") {
    for (const std::string& name : parameters)
      if (!models::in_head(*variant_, name)) frozen.insert(name);
    return;
  }
  std::vector<std::string> known{"none", "all", "auto"};
  for (const Tap& tap : model.taps) {
    known.push_back(tap.name);
    if (tap.name != part) continue;
    for (const std::string& name : states_below(model.graph, tap.value))
      if (model.graph.find_state(name)->role == StateRole::parameter) frozen.insert(name);
    return;
  }
  bool any = false;
  for (const std::string& name : parameters) {
    known.push_back(name);
    if (const std::string layer = layer_of(name); layer != known[known.size() - 2]) known.push_back(layer);
    if (fnmatch(part.c_str(), name.c_str(), 0) != 0 && !name.starts_with(part + ".")) continue;
    frozen.insert(name);
    any = true;
  }
  if (any) return;
  fail(ErrorKind::usage, "{} has no tap and no parameter '{}' to freeze; near it are {}; the taps are {}", variant_->name, part,
       nearest(part, known), fmt::join(tap_names(model), ", "));
}

int64_t Network::parameter_count() const {
  int64_t count = 0;
  for (const auto& [name, entry] : store_->entries())
    if (entry.role == StateRole::parameter) count += entry.type.elements();
  return count;
}

void Network::save(const std::filesystem::path& path, weights::StateDict tensors, std::vector<double> thresholds) const {
  weights::ModelFile file;
  file.architecture = variant_->name;
  file.classes = form_.classes;
  file.preprocessing = preprocessing_;
  file.head = form_.head;
  file.channels = form_.channels;
  file.native_height = form_.native.height;
  file.native_width = form_.native.width;
  file.thresholds = std::move(thresholds);
  file.seen = seen_;
  file.tensors = std::move(tensors);
  weights::write_model_file(path, file);
}

}  // namespace fovea::engine
