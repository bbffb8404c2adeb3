// How much of a pretrained network stays as it is, on few pictures: Yosinski et al. 2014, arXiv:1411.1792.
#include "support/claim.h"

namespace {

using namespace claims;

constexpr const char* kNetwork = "tf_efficientnet_lite0";
constexpr int64_t kSize = 96, kEpochs = 12, kBatch = 12, kAll = 1000;
constexpr double kRate = 1e-3;
// From the shallowest cut to the deepest; a row's x is the place in this list.
constexpr const char* kCuts[] = {"none", "blocks.1", "blocks.3", "blocks.5", "all"};

std::string series_of(int64_t count) { return count == kAll ? "all" : std::to_string(count) + " a class"; }

void costs(const Claim& claim, const std::string& cut, double x) {
  const fovea::BenchResult time = fovea::bench(
      kNetwork, {.mode = fovea::BenchMode::train, .batch = kBatch, .height = kSize, .width = kSize, .seconds = 1, .freeze = cut});
  fovea::Model model = fovea::Model::load(kNetwork, {.weights = "none"});
  model.replace_head(12);
  const fovea::Summary summary = fovea::summary(model, {.height = kSize, .width = kSize, .batch = kBatch, .freeze = cut});
  claim.add("step", x, "milliseconds", time.least_milliseconds);
  // In turns with the step that trains everything, so that what else the machine does meets both alike.
  claim.add("step", x, "time_share", time.full ? time.least_milliseconds / time.full->least_milliseconds : 1);
  claim.add("step, outputs kept", x, "time_share", time.full ? time.full->least_milliseconds_kept / time.full->least_milliseconds : 1);
  claim.add("step", x, "megabytes", 1e-6 * static_cast<double>(summary.memory.training + summary.memory.optimizer));
  claim.add("step", x, "trained_parameters", static_cast<double>(summary.trainable_parameters));
}

void accuracy(const Claim& claim, const Pictures& pictures, const std::vector<std::string>& train, const std::string& series,
              const std::string& cut, double x) {
  fovea::Model model = make_model(kNetwork, pictures, kSize, claim.seed, "default");
  fovea::TrainOptions options = from_scratch(kEpochs, kRate, claim.seed);
  options.recipe = fovea::Recipe::finetune;
  options.optimizer.kind = fovea::Optimizer::adamw;
  options.optimizer.weight_decay = 0.05;
  options.optimizer.batch_size = kBatch;
  options.freeze = cut;
  const Fit result = fit(model, train, pictures.test, options);
  claim.add(series, x, "train_accuracy", result.train_accuracy);
  claim.add(series, x, "test_accuracy", result.test_accuracy);
  claim.add(series, x, "train_loss", result.train_loss);
  claim.add(series, x, "test_loss", result.test_loss);
  claim.add(series, x, "seconds", result.seconds);
}

void body(const Claim& claim) {
  for (size_t i = 0; i < std::size(kCuts); ++i) costs(claim, kCuts[i], static_cast<double>(i));
  const Pictures pictures = stamps(claim);
  for (const int64_t count : {int64_t{2}, int64_t{4}, kAll}) {
    const auto train = some_of_each(pictures.train, count, claim.seed);
    for (size_t i = 0; i < std::size(kCuts); ++i) accuracy(claim, pictures, train, series_of(count), kCuts[i], static_cast<double>(i));
  }
}

}  // namespace

int main(int argc, char** argv) { return claims::main(argc, argv, body); }
