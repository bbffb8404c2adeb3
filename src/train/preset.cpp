#include "train/preset.h"

#include <algorithm>

#include "base/error.h"

namespace fovea::training {
namespace {

// BiT-HyperRule (Kolesnikov et al. 2020, arXiv:1912.11370, section 3.3).
constexpr int64_t kSmall = 20'000, kMedium = 500'000;  // pictures
constexpr double kRate = 0.003, kRateBatch = 512, kMixup = 0.1;
constexpr int64_t kWarmupSteps = 500, kWarmupShare = 5;  // at most a fifth of the steps

constexpr double kSmallArea = 96 * 96;  // below it, pictures are small
constexpr Resolution kOfSmall{160, 128}, kOfLarge{512, 480};

int64_t bit_steps(int64_t pictures) { return pictures < kSmall ? 500 : pictures < kMedium ? 10'000 : 20'000; }

void check_preset(const TrainOptions& options) {
  if (options.recipe == Recipe::probe || options.recipe == Recipe::finetune)
    fail(ErrorKind::usage, "the preset bit trains everything (recipe full), recipe {} was asked for", to_string(options.recipe));
  if (options.optimizer.kind.value_or(Optimizer::sgd) != Optimizer::sgd)
    fail(ErrorKind::usage, "the preset bit is about the optimizer sgd, {} was asked for", to_string(*options.optimizer.kind));
  if (options.optimizer.schedule.value_or(RateSchedule::step) != RateSchedule::step)
    fail(ErrorKind::usage, "the preset bit is about the schedule step, {} was asked for", to_string(*options.optimizer.schedule));
}

}  // namespace

TrainOptions with_preset(TrainOptions options, const Facts& facts) {
  if (options.preset == Preset::none) return options;
  check_preset(options);
  constexpr int64_t kBatch = 32;
  options.recipe = Recipe::full;
  options.optimizer.kind = Optimizer::sgd;
  options.optimizer.schedule = RateSchedule::step;
  TrainOptimizer& optimizer = options.optimizer;
  if (!optimizer.batch_size) optimizer.batch_size = kBatch;
  if (!optimizer.lr) optimizer.lr = kRate * static_cast<double>(*optimizer.batch_size * optimizer.grad_accum_steps) / kRateBatch;
  if (!optimizer.weight_decay) optimizer.weight_decay = 0;
  if (!options.regularization.label_smoothing) options.regularization.label_smoothing = 0;
  if (options.augmentation.mixup == 0 && facts.pictures >= kSmall) options.augmentation.mixup = kMixup;
  return options;
}

void apply_preset(Plan& plan, const TrainOptions& options, const Facts& facts) {
  if (options.preset == Preset::none) return;
  Phase& phase = plan.phases.back();
  const Batches batches{facts.pictures, phase.batch, phase.accumulate};
  const int64_t updates = std::max<int64_t>(1, batches.updates());
  if (!options.optimizer.epochs) phase.epochs = (bit_steps(facts.pictures) + updates - 1) / updates;
  const int64_t steps = phase.epochs * updates;
  if (!options.optimizer.warmup)
    phase.warmup = static_cast<double>(std::min(kWarmupSteps, steps / kWarmupShare)) / static_cast<double>(std::max<int64_t>(1, steps));
  phase.zero_head = true;
  if (!options.augmentation.policy) {
    const Resolution resolution = bit_resolution(facts.median_area);
    phase.augmentation = {.enlarged = static_cast<double>(resolution.resized) / static_cast<double>(resolution.size),
                          .flip = phase.augmentation->flip,
                          .vertical_flip = phase.augmentation->vertical_flip,
                          .erasing = phase.augmentation->erasing};
  }
  plan.reason = fmt::format("the preset bit: {} steps for {} training pictures", steps, facts.pictures);
}

Resolution bit_resolution(double median_area) { return median_area > 0 && median_area < kSmallArea ? kOfSmall : kOfLarge; }

double median_area(const Data& data) {
  if (!data.looks) return 0;
  std::vector<double> areas;
  for (const image::Sample& sample : data.splits.train.samples)
    if (const auto look = data.looks->pictures.find(sample.path); look != data.looks->pictures.end())
      areas.push_back(static_cast<double>(look->second.print.width) * static_cast<double>(look->second.print.height));
  if (areas.empty()) return 0;
  const auto middle = areas.begin() + static_cast<std::ptrdiff_t>(areas.size() / 2);
  std::ranges::nth_element(areas, middle);
  return *middle;
}

Prepared prepare(const Preprocessing& own, const engine::Network& network, const TrainOptions& options, double median_area) {
  if (options.preset == Preset::none) return {own, {}};
  const Resolution resolution = bit_resolution(median_area);
  Prepared result{own, {}};
  Preprocessing& preprocessing = result.preprocessing;
  if (!options.views.fit) preprocessing.fit = Fit::squash;
  const std::string because =
      fmt::format("the median picture has {:.0f} pixels, {} than 96x96", median_area, median_area < kSmallArea ? "fewer" : "not fewer");
  std::string kept;
  if (options.views.keep_size) {
    kept = "was asked for";
  } else {
    try {
      network.build(1, resolution.size, resolution.size);
      preprocessing.resize = (preprocessing.resize * resolution.size + own.height / 2) / std::min(own.height, own.width);
      preprocessing.height = preprocessing.width = resolution.size;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::usage) throw;
      kept = fmt::format("stays, for {0}x{0} cannot be: {1}", resolution.size, error.what());
    }
  }
  result.reason = fmt::format("the preset bit: {}, so they are resized to ", because);
  if (!options.augmentation.policy)
    result.reason += fmt::format("{0}x{0} and random parts of {1}x{1} train", resolution.resized, resolution.size);
  else
    result.reason += fmt::format("{0}x{0}", resolution.size);
  if (!kept.empty()) result.reason += fmt::format("; but {}x{} {}", own.height, own.width, kept);
  return result;
}

}  // namespace fovea::training
