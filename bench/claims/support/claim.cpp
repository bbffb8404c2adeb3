#include "support/claim.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

namespace claims {
namespace {

namespace fs = std::filesystem;

int64_t number(const std::string& option, const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) throw std::runtime_error(option + " " + text + ": a number is expected");
  return value;
}

std::string class_of(const std::string& file) { return fs::path(file).parent_path().filename().string(); }

std::map<std::string, std::vector<std::string>> by_class(const std::vector<std::string>& files) {
  std::map<std::string, std::vector<std::string>> classes;
  for (const std::string& file : files) classes[class_of(file)].push_back(file);
  return classes;
}

void shuffle(std::vector<std::string>& files, uint64_t seed) {
  std::mt19937_64 random(seed);
  // std::shuffle is not the same everywhere.
  for (size_t i = files.size(); i > 1; --i) std::swap(files[i - 1], files[random() % i]);
}

// Every fifth picture of a class is for the test.
Pictures fixed(const std::string& folder, int64_t size) {
  Pictures pictures{{}, {}, size, 1};
  for (const auto& [name, files] : by_class(fovea::list_pictures({folder})))
    for (size_t i = 0; i < files.size(); ++i) (i % 5 == 4 ? pictures.test : pictures.train).push_back(files[i]);
  return pictures;
}

}  // namespace

void Claim::add(const std::string& series, double x, const std::string& measure, double value) const {
  const char* quote = series.find(',') == std::string::npos ? "" : "\"";
  std::printf("%s%s%s,%.10g,%llu,%s,%.8g\n", quote, series.c_str(), quote, x, static_cast<unsigned long long>(seed), measure.c_str(),
              value);
  std::fflush(stdout);
}

int main(int argc, char** argv, void (*body)(const Claim&)) {
  try {
    Claim claim;
    for (int i = 1; i + 1 < argc; i += 2) {
      const std::string option = argv[i], value = argv[i + 1];
      if (option == "--seed")
        claim.seed = static_cast<uint64_t>(number(option, value));
      else if (option == "--threads")
        fovea::set_threads(static_cast<int>(number(option, value)));
      else if (option == "--pictures")
        claim.pictures = value;
      else
        throw std::runtime_error(option + ": --seed S, --threads N or --pictures DIR is expected");
    }
    if (claim.pictures.empty()) throw std::runtime_error("--pictures DIR is missing");
    body(claim);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", fs::path(argv[0]).filename().c_str(), error.what());
    return 1;
  }
}

Pictures digits(const Claim& claim) { return fixed(claim.pictures + "/digits", 8); }
Pictures mnist(const Claim& claim) { return fixed(claim.pictures + "/mnist", 28); }

Pictures stamps(const Claim& claim) {
  Pictures pictures{{}, {}, 0, 3};
  for (auto [name, files] : by_class(fovea::list_pictures({claim.pictures + "/stamps"}))) {
    shuffle(files, claim.seed);
    for (size_t i = 0; i < files.size(); ++i) (4 * i < files.size() ? pictures.test : pictures.train).push_back(files[i]);
  }
  return pictures;
}

std::vector<std::string> some_of_each(const std::vector<std::string>& files, int64_t count, uint64_t seed) {
  std::vector<std::string> some;
  for (auto [name, all] : by_class(files)) {
    shuffle(all, seed);
    some.insert(some.end(), all.begin(), all.begin() + std::min<std::ptrdiff_t>(count, std::ssize(all)));
  }
  return some;
}

Pictures few_to_learn_from(Pictures pictures, int64_t count, uint64_t seed) {
  const std::vector<std::string> all = std::exchange(pictures.train, some_of_each(pictures.train, count, seed));
  const std::set<std::string> drawn(pictures.train.begin(), pictures.train.end());
  std::ranges::copy_if(all, std::back_inserter(pictures.test), [&](const std::string& file) { return !drawn.contains(file); });
  return pictures;
}

fovea::Model make_model(const std::string& name, const Pictures& pictures, int64_t size, uint64_t seed, const std::string& weights) {
  fovea::LoadOptions options;
  options.weights = weights;
  options.seed = seed;
  if (weights == "none") options.channels = pictures.channels;
  fovea::Model model = fovea::Model::load(name, options);
  fovea::Preprocessing preprocessing = model.preprocessing();
  preprocessing.height = preprocessing.width = preprocessing.resize = size;
  preprocessing.fit = fovea::Fit::squash;
  if (weights == "none") preprocessing.mean = preprocessing.std = {0.5f, 0.5f, 0.5f};
  model.set_preprocessing(preprocessing);
  return model;
}

fovea::TrainOptions from_scratch(int64_t epochs, double rate, uint64_t seed) {
  fovea::TrainOptions options;
  options.recipe = fovea::Recipe::full;
  options.optimizer.epochs = epochs;
  options.optimizer.batch_size = 32;
  options.optimizer.kind = fovea::Optimizer::sgd;
  options.optimizer.lr = rate;
  options.optimizer.weight_decay = 5e-4;
  options.optimizer.warmup = 0.1;
  options.regularization.label_smoothing = 0;
  options.augmentation.policy = fovea::Augment::off;
  options.data.validation = 0;
  options.run.seed = seed;
  return options;
}

Fit fit(fovea::Model& model, const std::vector<std::string>& train, const std::vector<std::string>& test,
        const fovea::TrainOptions& options) {
  const fovea::TrainResult result = fovea::train(model, train, options);
  const fovea::Evaluation seen = fovea::evaluate(model, train), unseen = fovea::evaluate(model, test);
  return {seen.score.accuracy, unseen.score.accuracy, seen.loss, unseen.loss, result.seconds, result.history};
}

Batch batch_of(const fovea::Model& model, const std::vector<std::string>& files) {
  const fovea::Preprocessing& preprocessing = model.preprocessing();
  const int64_t channels = model.channels(), plane = preprocessing.height * preprocessing.width;
  Batch batch{fovea::Tensor(fovea::DType::f32, {std::ssize(files), channels, preprocessing.height, preprocessing.width}), {}};
  auto next = batch.images.mutable_values<float>().begin();
  for (const std::string& file : files) {
    const fovea::Tensor image = fovea::preprocess(fovea::read_image(file), preprocessing);
    next = std::copy_n(image.values<float>().begin(), channels * plane, next);  // of a grey picture all three are alike
    const auto& classes = model.classes();
    const auto label = std::ranges::find(classes, class_of(file));
    if (label == classes.end()) throw std::runtime_error(file + ": " + class_of(file) + " is no class of the model");
    batch.labels.push_back(label - classes.begin());
  }
  return batch;
}

double norm(const fovea::Tensor& tensor) {
  double sum = 0;
  for (const float value : tensor.values<float>()) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

}  // namespace claims
