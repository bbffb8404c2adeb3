#include "engine/network.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "nn/init.h"
#include "weights/load.h"

namespace fovea::engine {
namespace {

std::vector<std::string> named_or_numbered(std::vector<std::string> classes) {
  constexpr int kImageNetClasses = 1000;
  if (classes.empty())
    for (int i = 0; i < kImageNetClasses; ++i) classes.push_back(std::to_string(i));
  return classes;
}

}  // namespace

Network::Network(const models::Variant& variant, std::vector<std::string> classes, Preprocessing preprocessing,
                 std::optional<uint64_t> seed, int64_t channels)
    : variant_(&variant),
      classes_(named_or_numbered(std::move(classes))),
      channels_(channels),
      preprocessing_(preprocessing),
      store_(std::make_shared<StateStore>()) {
  const Graph graph = build(1).graph;
  store_->declare(graph);
  if (!seed) return;
  for (const State& state : graph.states()) store_->set(state.name, initialize(state, *seed, graph.type(state.value).dtype));
}

ModelGraph Network::build(int64_t batch, int64_t height, int64_t width) const {
  BuildOptions options;
  options.batch = batch;
  options.height = height > 0 ? height : preprocessing_.height;
  options.width = width > 0 ? width : preprocessing_.width;
  options.channels = channels_;
  options.classes = class_count();
  return models::build(*variant_, options);
}

std::vector<std::string> Network::head_parameters() const { return {variant_->head + ".weight", variant_->head + ".bias"}; }

void Network::replace_head(std::vector<std::string> classes, uint64_t seed, bool keep_known) {
  if (classes.empty()) fail(ErrorKind::usage, "{}: a head without classes", variant_->name);
  std::map<std::string, Tensor> old;
  for (const std::string& name : head_parameters()) {
    old.emplace(name, store_->get(name));
    store_->erase(name);
  }
  const std::vector<std::string> old_classes = std::exchange(classes_, std::move(classes));
  const Graph graph = build(1).graph;
  store_->declare(graph);
  std::map<std::string, size_t> old_row;
  for (size_t i = 0; keep_known && i < old_classes.size(); ++i) old_row.emplace(old_classes[i], i);
  for (const std::string& name : head_parameters()) {
    Tensor fresh = initialize(*graph.find_state(name), seed);
    const size_t row = static_cast<size_t>(fresh.size()) / classes_.size();  // elements of one class
    const auto from = old.at(name).values<float>();
    const auto to = fresh.mutable_values<float>();
    for (size_t i = 0; i < classes_.size(); ++i) {
      const auto known = old_row.find(classes_[i]);
      if (known == old_row.end()) continue;
      std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(known->second * row), row, to.begin() + static_cast<std::ptrdiff_t>(i * row));
    }
    store_->set(name, fresh);
  }
}

weights::LoadReport Network::load(const weights::StateDict& file, bool with_head) {
  const Graph graph = build(1).graph;
  std::vector<weights::ExpectedTensor> expected;
  for (const State& state : graph.states()) {
    const DType dtype = graph.type(state.value).dtype;
    expected.push_back({state.name, state.stored_shape, dtype == DType::i64, dtype});
  }
  weights::LoadOptions options;
  options.model = variant_->name;
  if (!with_head) options.skip = {variant_->head + "."};
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
  const ModelGraph model = build(1);
  std::set<std::string> frozen;
  if (freeze == "all") {
    for (const State& state : model.graph.states())
      if (state.role == StateRole::parameter) frozen.insert(state.name);
    for (const std::string& name : head_parameters()) frozen.erase(name);
    return frozen;
  }
  std::string taps;
  for (const Tap& tap : model.taps) {
    if (tap.name != freeze) {
      taps += ", " + tap.name;
      continue;
    }
    for (const std::string& name : states_below(model.graph, tap.value))
      if (model.graph.find_state(name)->role == StateRole::parameter) frozen.insert(name);
    return frozen;
  }
  fail(ErrorKind::usage, "{} has no tap '{}' to freeze up to; there are none, all{}", variant_->name, freeze, taps);
}

int64_t Network::parameter_count() const {
  int64_t count = 0;
  for (const auto& [name, entry] : store_->entries())
    if (entry.role == StateRole::parameter) count += entry.type.elements();
  return count;
}

}  // namespace fovea::engine
