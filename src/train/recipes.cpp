#include "train/recipes.h"

#include <cmath>

#include "base/error.h"

namespace fovea::training {
namespace {

// Below so many pictures a frozen backbone is as good as a trained one and takes seconds (on 200 pictures of twelve kinds: 0.85 by either).
constexpr int64_t kFinetunePictures = 1000;
struct Numbers {
  int64_t epochs = 0, batch = 0;
  double adamw_rate = 0, sgd_rate = 0, adamw_decay = 0, sgd_decay = 0, smoothing = 0;
};

constexpr Numbers kProbe{100, 32, 1e-3, 1e-2, 0.01, 1e-3, 0};
constexpr Numbers kHeadFirst{20, 32, 1e-3, 1e-2, 0.01, 1e-3, 0};
constexpr Numbers kFinetune{12, 16, 1e-3, 1e-2, 0.05, 1e-4, 0.1};
constexpr Numbers kFull{30, 16, 3e-4, 1e-2, 0.05, 1e-4, 0.1};
constexpr int64_t kFullEpochsOfFew = 10;                    // below kFinetunePictures
constexpr double kNewAdamwRate = 1e-3, kNewSgdRate = 5e-2;  // full, from new weights
constexpr double kStemRate = 0.01;                          // finetune: of the head's

LossOptions loss_options(const TrainOptions& options, const Numbers& numbers) {
  LossOptions loss;
  if (options.loss == Loss::binary_cross_entropy) loss.kind = LossOptions::Kind::binary;
  loss.smoothing = options.label_smoothing >= 0 ? options.label_smoothing : numbers.smoothing;
  if (options.loss == Loss::focal) loss.focal_gamma = options.focal_gamma;
  loss.class_weights = options.class_weights;
  return loss;
}

Phase phase_of(std::string name, const Numbers& numbers, const TrainOptions& options) {
  Phase phase;
  phase.name = std::move(name);
  phase.epochs = numbers.epochs;
  phase.batch = options.batch > 0 ? options.batch : numbers.batch;
  const bool sgd = options.optimizer_given && options.optimizer == Optimizer::sgd;
  phase.optimizer.kind = sgd ? OptimizerOptions::Kind::sgd : OptimizerOptions::Kind::adamw;
  phase.rate = sgd ? numbers.sgd_rate : numbers.adamw_rate;
  phase.optimizer.weight_decay = options.weight_decay >= 0 ? options.weight_decay : sgd ? numbers.sgd_decay : numbers.adamw_decay;
  phase.loss = loss_options(options, numbers);
  phase.warmup = options.warmup;
  return phase;
}

// What the options say of the phase that the recipe is about; a head that comes first keeps its own.
void apply(Phase& phase, const TrainOptions& options) {
  if (options.epochs > 0) phase.epochs = options.epochs;
  if (options.rate > 0) phase.rate = options.rate;
}

// On features there is nothing left to crop, to colour or to mix.
void show_changed(Phase& phase, const TrainOptions& options) {
  phase.augmentation = augmentation_of(options);
  phase.mixing = mixing_of(options);
  phase.loss.soft_targets = phase.loss.soft_targets || phase.mixing.any();
}

// The option that only training on pictures can follow; empty: none was given.
std::string changes_pictures(const TrainOptions& options) {
  if (options.mixup > 0) return fmt::format("mixup {}", options.mixup);
  if (options.cutmix > 0) return fmt::format("cutmix {}", options.cutmix);
  if (options.random_erasing > 0) return fmt::format("erasing {}", options.random_erasing);
  if (options.vertical_flip > 0) return fmt::format("vertical flip {}", options.vertical_flip);
  if (!options.augmentation.empty() && options.augmentation != "light") return fmt::format("augmentation {}", options.augmentation);
  return {};
}

Phase features_phase(std::string name, const Numbers& numbers, const TrainOptions& options) {
  Phase phase = phase_of(std::move(name), numbers, options);
  phase.on_features = true;
  phase.freeze = "all";
  if (options.augment) phase.augmentation.emplace();
  return phase;
}

std::vector<Phase> probe(const TrainOptions& options, const Facts& facts) {
  if (!options.freeze.empty() && options.freeze != "all")
    fail(ErrorKind::usage, "the recipe probe trains the head alone (freeze all), freeze {} was asked for: finetune or full can do that",
         options.freeze);
  if (const std::string change = changes_pictures(options); !change.empty())
    fail(ErrorKind::usage, "the recipe probe looks at each picture once, {} was asked for: finetune or full can do that", change);
  std::vector<Phase> phases{features_phase("head", kProbe, options)};
  apply(phases[0], options);
  if (facts.validation > 0) {
    phases.push_back(phases[0]);
    phases[1].name = "refit";
    phases[1].with_validation = true;
  }
  return phases;
}

std::vector<Phase> finetune(const TrainOptions& options) {
  Phase all = phase_of("all", kFinetune, options);
  apply(all, options);
  all.lowest_rate = kStemRate;
  if (!options.freeze.empty()) all.freeze = options.freeze;
  show_changed(all, options);
  return {features_phase("head", kHeadFirst, options), all};
}

std::vector<Phase> full(const TrainOptions& options, const Facts& facts) {
  Phase all = phase_of("all", kFull, options);
  if (!facts.pretrained) all.rate = all.optimizer.kind == OptimizerOptions::Kind::sgd ? kNewSgdRate : kNewAdamwRate;
  if (facts.pictures < kFinetunePictures) all.epochs = kFullEpochsOfFew;
  apply(all, options);
  if (!options.freeze.empty()) all.freeze = options.freeze;
  show_changed(all, options);
  return {all};
}

void check(const TrainOptions& options) {
  const auto demand = [](bool good, const char* name, auto value, const char* wanted) {
    if (!good) fail(ErrorKind::usage, "{} is {}, {} expected", name, value, wanted);
  };
  demand(options.epochs >= 0, "epochs", options.epochs, "1 or more");
  demand(options.batch == 0 || options.batch >= 2, "batch", options.batch, "2 or more (batch norm cannot train on one picture)");
  demand(options.rate >= 0 && options.rate < 1e3, "the rate", options.rate, "a number above 0");
  demand(options.weight_decay < 1e3, "the weight decay", options.weight_decay, "a number of 0 or more");
  demand(options.label_smoothing < 1, "the label smoothing", options.label_smoothing, "a number from 0 to below 1");
  demand(options.mixup >= 0 && std::isfinite(options.mixup), "the alpha of mixup", options.mixup, "a number of 0 or more");
  demand(options.cutmix >= 0 && std::isfinite(options.cutmix), "the alpha of cutmix", options.cutmix, "a number of 0 or more");
  demand(options.warmup >= 0 && options.warmup <= 1, "the warm-up", options.warmup, "a share from 0 to 1");
}

}  // namespace

Plan make_plan(const TrainOptions& options, const Facts& facts) {
  check(options);
  Recipe recipe = options.recipe;
  Plan plan;
  if (recipe != Recipe::automatic) {
    plan.reason = "asked for";
  } else if (!facts.pretrained) {
    recipe = Recipe::full;
    plan.reason = "the weights start new, so a frozen backbone would know nothing";
  } else if (!options.freeze.empty() && options.freeze != "all") {
    recipe = Recipe::finetune;
    plan.reason = fmt::format("freeze {} leaves more than the head to train", options.freeze);
  } else if (const std::string change = changes_pictures(options); options.freeze != "all" && !change.empty()) {
    recipe = Recipe::finetune;
    plan.reason = fmt::format("{} changes pictures at every look, which a frozen backbone takes only once", change);
  } else if (options.freeze == "all" || facts.pictures < kFinetunePictures) {
    recipe = Recipe::probe;
    plan.reason = options.freeze == "all" ? "freeze all leaves the head alone to train"
                                          : fmt::format("{} training pictures are fewer than the {} from which training the backbone pays",
                                                        facts.pictures, kFinetunePictures);
  } else {
    recipe = Recipe::finetune;
    plan.reason =
        fmt::format("{} training pictures are at least the {} from which training the backbone pays", facts.pictures, kFinetunePictures);
  }
  plan.recipe = to_string(recipe);
  if (facts.multi_label && options.loss == Loss::cross_entropy)
    fail(ErrorKind::usage, "cross entropy needs one label a picture, and some have several or none: binary or focal can do that");
  plan.phases = recipe == Recipe::probe ? probe(options, facts) : recipe == Recipe::finetune ? finetune(options) : full(options, facts);
  if (facts.multi_label)
    for (Phase& phase : plan.phases) phase.loss.kind = LossOptions::Kind::binary;
  return plan;
}

std::optional<image::Augmentation> augmentation_of(const TrainOptions& options) {
  image::Augmentation augmentation;
  augmentation.flip = options.augment ? 0.5 : 0.0;
  augmentation.vertical_flip = options.vertical_flip;
  augmentation.erasing.probability = options.random_erasing;
  const std::string& name = options.augmentation;
  const bool light = name == "light", standard = name.empty() || name == "standard";
  if (!light && !standard) {
    if (name == "randaugment")
      augmentation.policy.policy = image::Policy::randaugment;
    else if (name == "trivialaugment")
      augmentation.policy.policy = image::Policy::trivialaugment;
    else if (name == "autoaugment")
      augmentation.policy.policy = image::Policy::autoaugment;
    else
      fail(ErrorKind::usage, "augmentation \"{}\"; there are light, standard, randaugment, trivialaugment and autoaugment", name);
  }
  if (options.augment && !light) {
    augmentation.random_resized_crop = true;
    augmentation.scale_min = 0.35;  // a smaller part of a picture with one object often shows none of it
    if (standard) augmentation.brightness = augmentation.contrast = augmentation.saturation = 0.2;
  }
  image::check_augmentation(augmentation);
  const bool changes = options.augment || augmentation.vertical_flip > 0 || augmentation.erasing.probability > 0;
  return changes ? std::optional(augmentation) : std::nullopt;
}

image::Mixing mixing_of(const TrainOptions& options) { return {options.mixup, options.cutmix}; }

const char* to_string(Recipe recipe) {
  switch (recipe) {
    case Recipe::automatic:
      return "auto";
    case Recipe::probe:
      return "probe";
    case Recipe::finetune:
      return "finetune";
    case Recipe::full:
      break;
  }
  return "full";
}

const char* to_string(Optimizer optimizer) {
  switch (optimizer) {
    case Optimizer::adamw:
      return "adamw";
    case Optimizer::sgd:
      return "sgd";
    case Optimizer::nesterov:
      return "nesterov";
    case Optimizer::rmsprop:
      break;
  }
  return "rmsprop";
}

}  // namespace fovea::training
