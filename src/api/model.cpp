#include <fovea/model.h>

#include <algorithm>
#include <set>

#include "api/device.h"
#include "api/implementation.h"
#include "base/atomic_file.h"
#include "base/error.h"

namespace fovea {
Model::Implementation::Implementation(std::shared_ptr<engine::Network> network, LoadSummary summary) : loaded(std::move(summary)) {
  take(std::move(network));
}

void Model::Implementation::take(std::shared_ptr<engine::Network> network) {
  network_ = std::move(network);
  lookers_ = std::make_shared<std::atomic<int>>(0);
  inference_ = std::make_unique<Inference>(network_, std::make_shared<engine::Session>(network_, device()), nullptr);
}

engine::Network& Model::Implementation::changing() {
  const std::lock_guard lock(mutex_);
  for_lists_.reset();
  for_many_.clear();
  if (lookers_->load(std::memory_order_acquire) > 0) take(network_->clone());
  return *network_;
}

std::shared_ptr<const Inference> Model::Implementation::for_many(int cores) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<const Inference>& known = for_many_[cores];
  if (auto inference = known.lock()) return inference;
  const auto one_core = engine::Session::for_many(network_, device(), 1);
  auto made =
      std::make_unique<const Inference>(network_, cores == 1 ? one_core : engine::Session::for_many(network_, device(), cores), one_core);
  const auto leave = [lookers = lookers_](const Inference* one) {
    delete one;
    lookers->fetch_sub(1, std::memory_order_release);
  };
  lookers_->fetch_add(1);
  const std::shared_ptr<const Inference> inference(made.release(), leave);  // where that throws, it calls leave
  known = inference;
  return inference;
}

std::shared_ptr<const Inference> Model::Implementation::for_lists() {
  auto lists = for_many(0);
  const std::lock_guard lock(mutex_);
  return for_lists_ = std::move(lists);
}

void Model::Implementation::replace_head(std::vector<std::string> classes, const HeadOptions& head, uint64_t seed, bool keep_known) {
  changing().replace_head(std::move(classes), head, seed, keep_known);
  session().network_changed();
}

std::vector<TapInfo> taps_of(const ModelGraph& model) {
  std::vector<TapInfo> result;
  for (const Tap& tap : model.taps) {
    const Shape& shape = model.graph.type(tap.value).shape;
    TapInfo info{tap.name, tap.channels, tap.stride, {tap.channels, shape.height(), shape.width()}};
    if (tap.tokens) {
      info.shape = {tap.channels, tap.grid.height, tap.grid.width};
      info.tokens = shape.height();
      info.class_token = tap.prefix > 0;
    }
    result.push_back(std::move(info));
  }
  return result;
}

Model::Model(std::shared_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Model::~Model() = default;
Model::Model(const Model&) = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(const Model&) = default;
Model& Model::operator=(Model&&) noexcept = default;

Model::Implementation& Model::implementation() const {
  if (!implementation_) fail(ErrorKind::usage, "a model is used that was moved from");
  return *implementation_;
}

Model Model::clone() const {
  const auto copy = std::make_shared<Implementation>(implementation().network().clone(), loaded());
  copy->freeze = implementation().freeze;
  copy->freeze_given = implementation().freeze_given;
  return Model(copy);
}

const std::string& Model::name() const& { return implementation().network().variant().name; }
const std::vector<std::string>& Model::classes() const& { return implementation().network().classes(); }
const Preprocessing& Model::preprocessing() const& { return implementation().network().preprocessing(); }
const LoadSummary& Model::loaded() const& { return implementation().loaded; }
std::string Model::dtype() const { return to_string(implementation().network().precision()); }
int64_t Model::parameter_count() const { return implementation().network().parameter_count(); }
int64_t Model::feature_width() const { return implementation().network().variant().feature_width; }
int64_t Model::channels() const { return implementation().network().channels(); }
const HeadOptions& Model::head() const& { return implementation().network().form().head; }
const std::string& Model::frozen() const& { return implementation().freeze; }
std::vector<double> Model::thresholds() const { return implementation().network().thresholds(); }

void Model::set_thresholds(const std::vector<double>& thresholds) { implementation().changing().set_thresholds(thresholds); }

void Model::set_preprocessing(const Preprocessing& preprocessing) {
  implementation().network().build(1, preprocessing.height, preprocessing.width);  // throws where the network cannot take the size
  implementation().changing().set_preprocessing(preprocessing);
}

void Model::replace_head(const std::vector<std::string>& classes, uint64_t seed, const HeadOptions& head) {
  std::set<std::string> seen;
  for (const std::string& name : classes)
    if (!seen.insert(name).second) fail(ErrorKind::usage, "a head with the class '{}' twice", name);
  implementation().replace_head(classes, head, seed);
}

void Model::replace_head(int64_t count, uint64_t seed, const HeadOptions& head) {
  if (count < 1) fail(ErrorKind::usage, "a head of {} classes, at least 1 expected", count);
  std::vector<std::string> numbers;
  for (int64_t i = 0; i < count; ++i) numbers.push_back(std::to_string(i));
  implementation().replace_head(std::move(numbers), head, seed, false);
}

void Model::freeze(const std::string& what) {
  if (what != "auto") implementation().network().frozen_by(what);  // throws for an unknown one
  implementation().freeze = what.empty() ? "none" : what;
  implementation().freeze_given = true;
}

std::vector<ClassProbability> Model::predict(const Image& image, int64_t top) const {
  return implementation().inference().predict({&image, 1}, top).front();
}

std::vector<ClassProbability> Model::predict(const std::string& file, int64_t top) const {
  return predict(read_image(file, preprocessing()), top);
}

std::vector<std::vector<ClassProbability>> Model::predict(std::span<const Image> images, int64_t top) const {
  return implementation().for_lists()->predict(images, top);
}

Tensor Model::logits(const Tensor& images) const { return implementation().session().run(images, {"logits"}).front(); }

Tensor Model::probabilities(const Tensor& images) const { return probabilities({&images, 1}); }

Tensor Model::probabilities(std::span<const Tensor> shapes) const { return implementation().inference().probabilities(shapes); }

Tensor Model::embed(const Image& image) const { return implementation().inference().embed({&image, 1}).reshaped({feature_width()}); }

Tensor Model::embed(const std::string& file) const { return embed(read_image(file, preprocessing())); }

Tensor Model::embed(std::span<const Image> images) const { return implementation().for_lists()->embed(images); }

Tensor Model::embed(const Tensor& images) const { return implementation().session().run(images, {"pre_logits"}).front(); }

std::map<std::string, Tensor> Model::features(const Tensor& images, const std::vector<std::string>& taps) const {
  return implementation().inference().features(images, taps);
}

std::map<std::string, Tensor> Model::features(const Image& image, const std::vector<std::string>& taps) const {
  return implementation().inference().features(image, taps);
}

Tensor Model::behind_last_map(const Tensor& map, const std::string& output) const {
  return implementation().session().run_head(map, output);
}

std::vector<TapInfo> Model::taps() const { return taps(preprocessing().height, preprocessing().width); }

std::vector<TapInfo> Model::taps(int64_t height, int64_t width) const {
  return taps_of(implementation().network().build(1, height, width));
}

std::map<std::string, Tensor> Model::state_dict() const {
  std::map<std::string, Tensor> result;
  for (const weights::NamedTensor& named : implementation().network().state_dict()) result.emplace(named.name, named.tensor);
  return result;
}

void Model::load_state_dict(const std::map<std::string, Tensor>& state) {
  weights::StateDict given;
  for (const auto& [name, tensor] : state) given.add(name, tensor);
  in_context("loading " + name(), [&] {
    engine::Network& network = implementation().changing();
    network.load(given);
    // Nobody knows where these weights come from.
    if (network.seen()) network.set_seen(std::make_shared<const SeenPictures>(SeenPictures{network.seen()->prints, false}));
  });
}

void Model::save(const std::string& path) const {
  require_ending(path, ".safetensors", "a model");
  const engine::Network& network = implementation().network();
  network.save(path, network.state_dict(), network.given_thresholds());
}

std::vector<std::string> model_names() { return models::names(); }

}  // namespace fovea
