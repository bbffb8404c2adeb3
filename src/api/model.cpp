#include <fovea/model.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "api/implementation.h"
#include "backends/cpu/cpu.h"
#include "base/error.h"
#include "image/channels.h"
#include "image/fit.h"
#include "train/evaluate.h"
#include "weights/model_file.h"

namespace fovea {
namespace {

// Of `count` logits, in double; `out` may be `logits`.
void softmax(const float* logits, int64_t count, float* out) {
  const double most = *std::max_element(logits, logits + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(logits[i] - most);
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(std::exp(logits[i] - most) / sum);
}

// What `head` means by its outputs: shares of one, or each class for itself.
void to_probabilities(const HeadOptions& head, const float* logits, int64_t count, float* out) {
  if (!head.independent) return softmax(logits, count, out);
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(logits[i]))));
}

}  // namespace

Model::Implementation::Implementation(std::shared_ptr<engine::Network> network, LoadSummary summary)
    : loaded(std::move(summary)), network_(std::move(network)), session_(std::make_unique<engine::Session>(network_, cpu::cpu_backend())) {}

void Model::Implementation::replace_head(std::vector<std::string> classes, const HeadOptions& head, uint64_t seed, bool keep_known) {
  network_->replace_head(std::move(classes), head, seed, keep_known);
  session_->network_changed();
}

std::vector<float> Model::Implementation::run(std::span<const float> image, const std::string& vector) {
  const Preprocessing& preprocessing = network_->preprocessing();
  std::vector<float> result, room;
  const auto input = image::with_channels(image, preprocessing, network_->channels(), room);
  session_->run(
      1, preprocessing.height, preprocessing.width, {vector},
      [&](engine::BatchExecutable& executable) { std::ranges::copy(input, executable.image().begin()); },
      [&](const engine::BatchExecutable& executable) {
        const auto values = executable.output(vector);
        result.assign(values.begin(), values.end());
      });
  return result;
}

std::vector<float> Model::Implementation::run(const Image& image, const std::string& vector) {
  const Preprocessing& preprocessing = network_->preprocessing();
  std::vector<float> prepared(static_cast<size_t>(3 * preprocessing.height * preprocessing.width));
  image::normalize_into(image, preprocessing, prepared.data());
  return run(prepared, vector);
}

Model::Implementation::Prepared Model::Implementation::prepared(const Image& image) const {
  Prepared result;
  Preprocessing shape = network_->preprocessing();
  const auto prepare = [&](Fit fit, std::vector<float>& pixels) {
    shape.fit = fit;
    pixels.resize(static_cast<size_t>(3 * shape.height * shape.width));
    image::normalize_into(image, shape, pixels.data());
  };
  prepare(shape.fit, result.image);
  if (shape.second_fit) prepare(*shape.second_fit, result.second);
  return result;
}

std::vector<float> Model::Implementation::answer(std::span<float> image, std::span<float> second) {
  const Preprocessing& preprocessing = network_->preprocessing();
  std::vector<float> logits = run(image, "logits");
  if (preprocessing.mirrored) {
    training::mirror(image, 1, preprocessing.height, preprocessing.width);
    training::average(logits, run(image, "logits"));
  }
  if (!second.empty()) training::average(logits, answer(second, {}));
  return logits;
}

Tensor Model::Implementation::answers(const Tensor& images) {
  Tensor logits = session_->run(images, {"logits"}).front();
  if (!network_->preprocessing().mirrored) return logits;
  Tensor mirrored = images.clone();
  const auto values = mirrored.mutable_values<float>();
  const auto width = static_cast<size_t>(images.shape().back());
  for (size_t row = 0; row < values.size(); row += width) std::ranges::reverse(values.subspan(row, width));
  training::average(logits.mutable_values<float>(), session_->run(mirrored, {"logits"}).front().values<float>());
  return logits;
}

Tensor Model::Implementation::output(std::span<const float> image, const std::string& name) {
  const Preprocessing& size = network_->preprocessing();
  const std::vector<int64_t> shape{1, network_->channels(), size.height, size.width};
  std::vector<float> room;
  const auto pixels = image::with_channels(image, size, network_->channels(), room);
  const Tensor picture = engine::read_memory(pixels.data(), {DType::f32, Shape(shape)}, shape, DType::f32);
  return session_->run(picture, {name}).front();
}

Tensor Model::Implementation::output_with_mirror_image(std::span<float> image, const std::string& name) {
  Tensor mean = output(image, name);
  if (mean.shape().size() != 2)
    fail(ErrorKind::usage, "{} gives {} of a picture; with its mirror image a vector is averaged", name, shape_string(mean.shape()));
  training::mirror(image, 1, network_->preprocessing().height, network_->preprocessing().width);
  training::average(mean.mutable_values<float>(), output(image, name).values<float>());
  return mean;
}

std::vector<ClassProbability> Model::Implementation::best(std::span<const float> logits, int64_t top) const {
  const std::vector<std::string>& names = network_->classes();
  std::vector<float> probabilities(logits.size());
  to_probabilities(network_->form().head, logits.data(), static_cast<int64_t>(logits.size()), probabilities.data());
  std::vector<int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto end = order.begin() + std::min<int64_t>(top, static_cast<int64_t>(order.size()));
  const auto probability = [&](int64_t i) { return probabilities[static_cast<size_t>(i)]; };
  std::partial_sort(order.begin(), end, order.end(),
                    [&](int64_t a, int64_t b) { return probability(a) != probability(b) ? probability(a) > probability(b) : a < b; });
  std::vector<ClassProbability> result;
  for (auto it = order.begin(); it != end; ++it) result.push_back({names[static_cast<size_t>(*it)], *it, probability(*it)});
  return result;
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

const std::string& Model::name() const { return implementation_->network().variant().name; }
const std::vector<std::string>& Model::classes() const { return implementation_->network().classes(); }
const Preprocessing& Model::preprocessing() const { return implementation_->network().preprocessing(); }
const LoadSummary& Model::loaded() const { return implementation_->loaded; }
std::string Model::dtype() const { return to_string(implementation_->network().precision()); }
int64_t Model::parameter_count() const { return implementation_->network().parameter_count(); }
int64_t Model::feature_width() const { return implementation_->network().variant().feature_width; }
int64_t Model::channels() const { return implementation_->network().channels(); }
const HeadOptions& Model::head() const { return implementation_->network().form().head; }
const std::string& Model::frozen() const { return implementation_->freeze; }

void Model::set_preprocessing(const Preprocessing& preprocessing) {
  implementation_->network().build(1, preprocessing.height, preprocessing.width);  // throws where the network cannot take the size
  implementation_->network().set_preprocessing(preprocessing);
}

void Model::replace_head(const std::vector<std::string>& classes, uint64_t seed, const HeadOptions& head) {
  std::set<std::string> seen;
  for (const std::string& name : classes)
    if (!seen.insert(name).second) fail(ErrorKind::usage, "a head with the class '{}' twice", name);
  implementation_->replace_head(classes, head, seed);
}

void Model::replace_head(int64_t count, uint64_t seed, const HeadOptions& head) {
  if (count < 1) fail(ErrorKind::usage, "a head of {} classes, at least 1 expected", count);
  std::vector<std::string> numbers;
  for (int64_t i = 0; i < count; ++i) numbers.push_back(std::to_string(i));
  implementation_->replace_head(std::move(numbers), head, seed, false);
}

void Model::freeze(const std::string& what) {
  if (what != "auto") implementation_->network().frozen_by(what);  // throws for an unknown one
  implementation_->freeze = what.empty() ? "none" : what;
  implementation_->freeze_given = true;
}

std::vector<ClassProbability> Model::predict(const Image& image, int64_t top) const {
  if (top < 1) fail(ErrorKind::usage, "the {} most probable classes, at least 1 expected", top);
  Implementation::Prepared prepared = implementation_->prepared(image);
  return implementation_->best(implementation_->answer(prepared.image, prepared.second), top);
}

std::vector<ClassProbability> Model::predict(const std::string& file, int64_t top) const {
  return predict(read_image(file, preprocessing()), top);
}

Tensor Model::logits(const Tensor& images) const { return implementation_->session().run(images, {"logits"}).front(); }

Tensor Model::probabilities(const Tensor& images) const {
  Tensor result = implementation_->answers(images);
  const int64_t count = result.shape()[1];
  const auto values = result.mutable_values<float>();
  for (int64_t n = 0; n < result.shape()[0]; ++n) to_probabilities(head(), values.data() + n * count, count, values.data() + n * count);
  return result;
}

Tensor Model::embed(const Image& image) const {
  const std::vector<float> vector = implementation_->run(image, "pre_logits");
  Tensor result(DType::f32, {feature_width()});
  std::copy(vector.begin(), vector.end(), result.mutable_values<float>().begin());
  return result;
}

Tensor Model::embed(const std::string& file) const { return embed(read_image(file, preprocessing())); }

Tensor Model::embed(const Tensor& images) const { return implementation_->session().run(images, {"pre_logits"}).front(); }

std::map<std::string, Tensor> Model::features(const Tensor& images, const std::vector<std::string>& taps) const {
  if (taps.empty()) fail(ErrorKind::usage, "features of no tap: name at least one");
  std::vector<Tensor> maps = implementation_->session().run(images, taps);
  std::map<std::string, Tensor> result;
  for (size_t i = 0; i < taps.size(); ++i) result.emplace(taps[i], std::move(maps[i]));
  return result;
}

std::map<std::string, Tensor> Model::features(const Image& image, const std::vector<std::string>& taps) const {
  const Preprocessing& size = preprocessing();
  std::vector<float> prepared(static_cast<size_t>(3 * size.height * size.width)), room;
  image::normalize_into(image, size, prepared.data());
  const auto pixels = image::with_channels(prepared, size, channels(), room);
  return features(engine::read_memory(pixels.data(), {DType::f32, {1, channels(), size.height, size.width}},
                                      {1, channels(), size.height, size.width}, DType::f32),
                  taps);
}

std::vector<TapInfo> Model::taps() const { return taps(preprocessing().height, preprocessing().width); }

std::vector<TapInfo> Model::taps(int64_t height, int64_t width) const {
  return taps_of(implementation_->network().build(1, height, width));
}

std::map<std::string, Tensor> Model::state_dict() const {
  std::map<std::string, Tensor> result;
  for (const weights::NamedTensor& named : implementation_->network().state_dict()) result.emplace(named.name, named.tensor);
  return result;
}

void Model::load_state_dict(const std::map<std::string, Tensor>& state) {
  weights::StateDict given;
  for (const auto& [name, tensor] : state) given.add(name, tensor);
  in_context("loading " + name(), [&] { implementation_->network().load(given); });
  implementation_->session().weights_changed();
}

void Model::save(const std::string& path) const {
  weights::ModelFile file;
  file.architecture = name();
  file.classes = classes();
  file.preprocessing = preprocessing();
  file.head = head();
  file.channels = channels();
  file.native_height = implementation_->network().form().native.height;
  file.native_width = implementation_->network().form().native.width;
  file.tensors = implementation_->network().state_dict();
  weights::write_model_file(path, file);
}

std::vector<std::string> model_names() { return models::names(); }

}  // namespace fovea
