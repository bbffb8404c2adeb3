#include "api/inference.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/parallel.h"
#include "image/channels.h"
#include "image/fit.h"
#include "look/views.h"

namespace fovea {
namespace {

// Computes in double; `out` may be `logits`.
void softmax(const float* logits, int64_t count, float* out) {
  const double most = *std::max_element(logits, logits + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(logits[i] - most);
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(std::exp(logits[i] - most) / sum);
}

void require_numbers(std::span<const float> logits) {
  if (!std::ranges::all_of(logits, [](float value) { return std::isfinite(value); }))
    fail(ErrorKind::format,
         "the network's answer is no number (NaN or infinity): its weights hold such values, or what it computes grows beyond what floats "
         "hold");
}

// Turns logits into what the head means by them: shares of one, or a probability of each class for itself.
void to_probabilities(const HeadOptions& head, const float* logits, int64_t count, float* out) {
  if (!head.independent) return softmax(logits, count, out);
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(logits[i]))));
}

}  // namespace

Inference::Inference(std::shared_ptr<const engine::Network> network, std::shared_ptr<engine::Session> session,
                     std::shared_ptr<engine::Session> one_core)
    : network_(std::move(network)), session_(std::move(session)), one_core_(std::move(one_core)) {}

bool Inference::one_by_one(int64_t count, const std::vector<std::string>& outputs) const {
  if (count < 2 || threads() < 2 || !one_core_) return true;
  const Preprocessing& size = network_->preprocessing();
  return one_core_->depends_on_cores(1, size.height, size.width, outputs);
}

std::vector<float> Inference::run(std::span<const float> image, const std::string& vector) const {
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

void Inference::prepare(const Image& image, bool second, Prepared& result) const {
  image::require_channels(image, network_->channels());
  Preprocessing shape = network_->preprocessing();
  const auto prepare = [&](Fit fit, std::vector<float>& pixels) {
    shape.fit = fit;
    pixels.resize(static_cast<size_t>(image.channels * shape.height * shape.width));
    image::normalize_into(image, shape, pixels.data());
  };
  prepare(shape.fit, result.image);
  if (second && shape.second_fit) prepare(*shape.second_fit, result.second);
}

std::vector<float> Inference::answer(std::span<float> image, std::span<float> second) const {
  const Preprocessing& preprocessing = network_->preprocessing();
  std::vector<float> logits = run(image, "logits");
  if (preprocessing.mirrored) {
    look::mirror(image, 1, preprocessing.height, preprocessing.width);
    look::average(logits, run(image, "logits"));
  }
  if (!second.empty()) look::average(logits, answer(second, {}));
  return logits;
}

Tensor Inference::answers(const Tensor& images) const {
  Tensor logits = session_->run(images, {"logits"}).front();
  if (!network_->preprocessing().mirrored) return logits;
  Tensor mirrored = images.clone();
  const auto values = mirrored.mutable_values<float>();
  const auto width = static_cast<size_t>(images.shape().back());
  for (size_t row = 0; row < values.size(); row += width) std::ranges::reverse(values.subspan(row, width));
  const Tensor others = session_->run(mirrored, {"logits"}).front();
  look::average(logits.mutable_values<float>(), others.values<float>());
  return logits;
}

Tensor Inference::tensor_of(std::span<const float> image) const {
  const Preprocessing& size = network_->preprocessing();
  const std::vector<int64_t> shape{1, network_->channels(), size.height, size.width};
  std::vector<float> room;
  const auto pixels = image::with_channels(image, size, network_->channels(), room);
  return engine::read_memory(pixels.data(), {DType::f32, Shape(shape)}, shape, DType::f32);
}

Tensor Inference::output(std::span<const float> image, const std::string& name) const {
  return session_->run(tensor_of(image), {name}).front();
}

Tensor Inference::output_with_mirror_image(std::span<float> image, const std::string& name) const {
  Tensor mean = output(image, name);
  if (mean.shape().size() != 2)
    fail(ErrorKind::usage, "{} gives {} of a picture; with its mirror image a vector is averaged", name, shape_string(mean.shape()));
  look::mirror(image, 1, network_->preprocessing().height, network_->preprocessing().width);
  const Tensor other = output(image, name);
  look::average(mean.mutable_values<float>(), other.values<float>());
  return mean;
}

std::vector<ClassProbability> Inference::best(std::span<const float> logits, int64_t top) const {
  const std::vector<std::string>& names = network_->classes();
  std::vector<float> probabilities(logits.size());
  require_numbers(logits);
  to_probabilities(network_->form().head, logits.data(), static_cast<int64_t>(logits.size()), probabilities.data());
  std::vector<int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto end = order.begin() + std::min<int64_t>(top, static_cast<int64_t>(order.size()));
  const auto probability = [&](int64_t i) { return probabilities[static_cast<size_t>(i)]; };
  std::partial_sort(order.begin(), end, order.end(),
                    [&](int64_t a, int64_t b) { return probability(a) != probability(b) ? probability(a) > probability(b) : a < b; });
  std::vector<ClassProbability> result;
  const std::vector<double> thresholds = network_->thresholds();
  for (auto it = order.begin(); it != end; ++it) {
    const auto i = static_cast<size_t>(*it);
    const bool told = thresholds.empty() ? it == order.begin() : engine::is_told(logits[i], thresholds[i]);
    result.push_back({names[i], *it, probability(*it), told});
  }
  return result;
}

std::vector<std::vector<ClassProbability>> Inference::predict(std::span<const Image> images, int64_t top) const {
  if (top < 1) fail(ErrorKind::usage, "the {} most probable classes, at least 1 expected", top);
  std::vector<std::vector<ClassProbability>> result(images.size());
  for_each(static_cast<int64_t>(images.size()), {"logits"}, [&](int64_t i, const Inference& one) {
    Prepared prepared;
    one.prepare(images[static_cast<size_t>(i)], true, prepared);
    result[static_cast<size_t>(i)] = one.best(one.answer(prepared.image, prepared.second), top);
  });
  return result;
}

Tensor Inference::embed(std::span<const Image> images) const {
  const int64_t width = network_->variant().feature_width;
  Tensor result(DType::f32, {static_cast<int64_t>(images.size()), width});
  const auto rows = result.mutable_values<float>();
  for_each(static_cast<int64_t>(images.size()), {"pre_logits"}, [&](int64_t i, const Inference& one) {
    Prepared prepared;
    one.prepare(images[static_cast<size_t>(i)], false, prepared);
    std::ranges::copy(one.run(prepared.image, "pre_logits"), rows.begin() + i * width);
  });
  return result;
}

Tensor Inference::probabilities(std::span<const Tensor> shapes) const {
  const std::vector<Fit> fits = fits_of(network_->preprocessing());
  if (shapes.size() != fits.size())
    fail(ErrorKind::usage,
         "pictures prepared in {} of the {} shapes ({}) that the answers of this model average over: preprocess_views gives all",
         shapes.size(), fits.size(), to_string(fits));
  Tensor result = answers(shapes.front());
  if (shapes.size() > 1) {
    const Tensor second = answers(shapes.back());
    if (second.shape() != result.shape())
      fail(ErrorKind::usage, "{} pictures in the first shape, {} in the second", result.shape()[0], second.shape()[0]);
    look::average(result.mutable_values<float>(), second.values<float>());
  }
  const int64_t count = result.shape()[1];
  const auto values = result.mutable_values<float>();
  require_numbers(values);
  for (int64_t n = 0; n < result.shape()[0]; ++n)
    to_probabilities(network_->form().head, values.data() + n * count, count, values.data() + n * count);
  return result;
}

std::map<std::string, Tensor> Inference::features(const Tensor& images, const std::vector<std::string>& taps) const {
  if (taps.empty()) fail(ErrorKind::usage, "features of no tap: name at least one");
  std::vector<Tensor> maps = session_->run(images, taps);
  std::map<std::string, Tensor> result;
  for (size_t i = 0; i < taps.size(); ++i) result.emplace(taps[i], std::move(maps[i]));
  return result;
}

std::map<std::string, Tensor> Inference::features(const Image& image, const std::vector<std::string>& taps) const {
  const CoresScope scope(session_->cores());
  Prepared one;
  prepare(image, false, one);
  return features(tensor_of(one.image), taps);
}

}  // namespace fovea
