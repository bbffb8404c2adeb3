#include "train/preset.h"

#include <algorithm>

#include "base/error.h"

namespace fovea::training {
namespace {

// BiT-HyperRule (Kolesnikov et al. 2020, arXiv:1912.11370, section 3.3).
constexpr int64_t kSmall = 20'000, kMedium = 500'000;  // pictures
constexpr double kRate = 0.003, kRateBatch = 512, kMixup = 0.1;
constexpr int64_t kWarmupSteps = 500, kWarmupShare = 5;  // at most a fifth of the steps

int64_t bit_steps(int64_t pictures) { return pictures < kSmall ? 500 : pictures < kMedium ? 10'000 : 20'000; }

void check(const TrainOptions& options) {
  if (options.preset != "bit") fail(ErrorKind::usage, "the preset is {}, bit expected", options.preset);
  if (options.recipe == Recipe::probe || options.recipe == Recipe::finetune)
    fail(ErrorKind::usage, "the preset bit trains everything (recipe full), recipe {} was asked for", to_string(options.recipe));
  if (options.optimizer_given && options.optimizer != Optimizer::sgd)
    fail(ErrorKind::usage, "the preset bit is about the optimizer sgd, {} was asked for", to_string(options.optimizer));
  if (options.schedule != RateSchedule::cosine && options.schedule != RateSchedule::step)
    fail(ErrorKind::usage, "the preset bit is about the schedule step, {} was asked for", to_string(options.schedule));
}

}  // namespace

TrainOptions with_preset(TrainOptions options, const Facts& facts) {
  if (options.preset.empty()) return options;
  check(options);
  constexpr int64_t kBatch = 32;
  options.recipe = Recipe::full;
  options.optimizer = Optimizer::sgd;
  options.optimizer_given = true;
  options.schedule = RateSchedule::step;
  if (options.batch == 0) options.batch = kBatch;
  if (options.rate == 0) options.rate = kRate * static_cast<double>(options.batch * options.accumulate) / kRateBatch;
  if (options.weight_decay < 0) options.weight_decay = 0;
  if (options.label_smoothing < 0) options.label_smoothing = 0;
  if (options.mixup == 0 && facts.pictures >= kSmall) options.mixup = kMixup;
  return options;
}

void apply_preset(Plan& plan, const TrainOptions& options, const Facts& facts) {
  if (options.preset.empty()) return;
  Phase& phase = plan.phases.back();
  const Batches batches{facts.pictures, phase.batch, phase.accumulate};
  const int64_t updates = std::max<int64_t>(1, batches.updates());
  if (options.epochs == 0) phase.epochs = (bit_steps(facts.pictures) + updates - 1) / updates;
  const int64_t steps = phase.epochs * updates;
  if (options.warmup < 0)
    phase.warmup = static_cast<double>(std::min(kWarmupSteps, steps / kWarmupShare)) / static_cast<double>(std::max<int64_t>(1, steps));
  phase.zero_head = true;
  plan.reason = fmt::format("the preset bit: {} steps for {} training pictures", steps, facts.pictures);
}

}  // namespace fovea::training
