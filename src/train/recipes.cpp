#include "train/recipes.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "train/option_names.h"
#include "train/preset.h"
#include "train/unused_options.h"

namespace fovea::training {
namespace {

// Fewer validation pictures cannot tell one recipe from another: one picture would be more than a tenth of them.
constexpr int64_t kTellingPictures = 10;
constexpr int64_t kFinetunePicturesOfClass = 20;
constexpr int64_t kTrialEpochs = 6, kTrialPatience = 2;
// Below so many pictures a frozen backbone is about as good as a trained one and takes seconds.
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
constexpr double kWarmup = 0.1, kOneCycleWarmup = 0.3;
// RMSprop's divisor starts at 1 and cannot fall below sqrt(0.001), so short runs want higher rates than AdamW; its decay goes through the
// gradient and is timm's for it.
constexpr double kRmspropShare = 3, kRmspropDecay = 1e-5;

std::shared_ptr<const HostLossHandle> host_loss_of(const std::function<double(const TrainOptions::Answers&)>& callback) {
  return std::make_shared<const HostLossHandle>([callback](int64_t pictures, int64_t classes, std::span<const float> logits,
                                                           std::span<const float> targets, std::span<float> gradient) {
    return callback({pictures, classes, logits, targets, gradient});
  });
}

LossOptions loss_options(const TrainOptions& options, const Numbers& numbers) {
  LossOptions loss;
  if (options.loss == Loss::binary_cross_entropy) loss.kind = LossOptions::Kind::binary;
  loss.smoothing = options.label_smoothing >= 0 ? options.label_smoothing : numbers.smoothing;
  if (options.loss == Loss::focal) loss.focal_gamma = options.focal_gamma;
  loss.class_weights = options.class_weights;
  if (options.loss_of_maps) loss.composed = options.loss_of_maps;
  if (options.loss_callback) loss.host = host_loss_of(options.loss_callback);
  if (loss.own()) loss.class_weights = false;
  loss.soft_targets = loss.own();
  return loss;
}

OptimizerOptions optimizer_options(const TrainOptions& options, const Numbers& numbers) {
  using Kind = OptimizerOptions::Kind;
  OptimizerOptions optimizer;
  if (options.optimizer_given && options.optimizer != Optimizer::adamw)
    optimizer.kind = options.optimizer == Optimizer::rmsprop ? Kind::rmsprop : Kind::sgd;
  optimizer.nesterov = options.optimizer_given && options.optimizer == Optimizer::nesterov;
  optimizer.momentum = options.momentum;
  const double decay = optimizer.kind == Kind::adamw ? numbers.adamw_decay
                       : optimizer.kind == Kind::sgd ? numbers.sgd_decay
                                                     : kRmspropDecay;
  optimizer.weight_decay = options.weight_decay >= 0 ? options.weight_decay : decay;
  return optimizer;
}

double rate_of(const OptimizerOptions& optimizer, double adamw, double sgd) {
  if (optimizer.kind == OptimizerOptions::Kind::sgd) return sgd;
  return optimizer.kind == OptimizerOptions::Kind::adamw ? adamw : kRmspropShare * adamw;
}

Phase phase_of(std::string name, const Numbers& numbers, const TrainOptions& options) {
  Phase phase;
  phase.name = std::move(name);
  phase.epochs = numbers.epochs;
  phase.batch = options.batch > 0 ? options.batch : numbers.batch;
  phase.optimizer = optimizer_options(options, numbers);
  phase.rate = rate_of(phase.optimizer, numbers.adamw_rate, numbers.sgd_rate);
  phase.loss = loss_options(options, numbers);
  phase.schedule = options.schedule.value_or(RateSchedule::cosine);
  phase.warmup = options.warmup >= 0 ? options.warmup : phase.schedule == RateSchedule::one_cycle ? kOneCycleWarmup : kWarmup;
  phase.accumulate = options.accumulate;
  phase.clip_norm = options.clip_norm;
  phase.ema = options.ema;
  phase.patience = options.patience;
  return phase;
}

// What the options say of the phase that the recipe is about; a head that comes first keeps its own.
void apply(Phase& phase, const TrainOptions& options) {
  if (options.epochs > 0) phase.epochs = options.epochs;
  if (options.rate > 0) phase.rate = options.rate;
  phase.rate_of_step = options.rate_of_step;
}

// Takes from the options what concerns the backbone.
void apply_to_backbone(Phase& phase, const TrainOptions& options) {
  if (!options.freeze.empty()) phase.freeze = options.freeze;
  phase.layer_decay = options.layer_decay;
  phase.stochastic_depth = options.stochastic_depth;
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
  if (options.augment_picture) return "an augmentation of the caller's own";
  if (!options.augmentation.empty() && options.augmentation != "light") return fmt::format("augmentation {}", options.augmentation);
  return {};
}

// The option that is about the layers below the head; empty: none was given.
std::string concerns_backbone(const TrainOptions& options) {
  if (options.layer_decay > 0) return fmt::format("layer decay {}", options.layer_decay);
  if (options.stochastic_depth >= 0) return fmt::format("stochastic depth {}", options.stochastic_depth);
  return {};
}

Phase features_phase(std::string name, const Numbers& numbers, const TrainOptions& options) {
  Phase phase = phase_of(std::move(name), numbers, options);
  phase.on_features = true;
  phase.freeze = "all";
  if (options.augment) phase.augmentation.emplace();
  return phase;
}

// Whether the head can be solved for: where it is linear and nobody asks for a loss or steps of his own.
bool can_solve(const TrainOptions& options, const Facts& facts) {
  const bool weighted = options.class_weights || options.balanced_sampling;
  return facts.linear_head && options.loss != Loss::focal && !options.loss_of_maps && !options.loss_callback &&
         !(facts.multi_label && weighted);
}

// Whether finetune is tried beside the probe, where pictures are few: the validation pictures can tell, and nobody wants the head alone.
bool tries_both(const TrainOptions& options, const Facts& facts) {
  return options.recipe == Recipe::automatic && options.freeze != "all" && facts.validation >= kTellingPictures &&
         can_solve(options, facts);
}

bool asks_for_steps(const TrainOptions& options) {
  return options.epochs > 0 || options.batch > 0 || options.rate > 0 || options.weight_decay >= 0 || options.optimizer_given ||
         options.rate_of_step;
}

void solve(Phase& phase, const TrainOptions& options, const Facts& facts) {
  phase.solved = true;
  phase.epochs = 1;
  phase.rate = 0;
  phase.loss.class_weights = options.class_weights || options.balanced_sampling;
  phase.choose_fit = options.fit_by_validation;
  phase.second_fit = options.augment && facts.pictures < kFinetunePictures;
  phase.average_fits = phase.second_fit && !options.fit && options.mirrored != Choice::off;
  phase.mirrored = options.mirrored;
}

std::vector<Phase> probe(const TrainOptions& options, const Facts& facts) {
  if (!options.freeze.empty() && options.freeze != "all")
    fail(ErrorKind::usage, "the recipe probe trains the head alone (freeze all), freeze {} was asked for: finetune or full can do that",
         options.freeze);
  if (const std::string change = changes_pictures(options); !change.empty())
    fail(ErrorKind::usage, "the recipe probe looks at each picture once, {} was asked for: finetune or full can do that", change);
  if (const std::string what = concerns_backbone(options); !what.empty())
    fail(ErrorKind::usage, "the recipe probe trains the head alone, {} is about the layers below it: finetune or full use it", what);
  std::vector<Phase> phases{features_phase("head", kProbe, options)};
  apply(phases[0], options);
  // Steps that are asked for are those of the trial, where there is one.
  if (can_solve(options, facts) && (!asks_for_steps(options) || tries_both(options, facts))) solve(phases[0], options, facts);
  if (facts.validation > 0) {
    phases.push_back(phases[0]);
    phases[1].name = "refit";
    phases[1].with_validation = true;
  }
  return phases;
}

std::vector<Phase> finetune(const TrainOptions& options, const Facts& facts) {
  Phase all = phase_of("all", kFinetune, options);
  apply(all, options);
  all.lowest_rate = kStemRate;
  apply_to_backbone(all, options);
  show_changed(all, options);
  Phase head = features_phase("head", kHeadFirst, options);
  if (can_solve(options, facts)) solve(head, options, facts);
  return {head, all};
}

std::vector<Phase> full(const TrainOptions& options, const Facts& facts) {
  Phase all = phase_of("all", kFull, options);
  if (!facts.pretrained) all.rate = rate_of(all.optimizer, kNewAdamwRate, kNewSgdRate);
  if (facts.pictures < kFinetunePictures) all.epochs = kFullEpochsOfFew;
  apply(all, options);
  apply_to_backbone(all, options);
  show_changed(all, options);
  return {all};
}

void check_options(const TrainOptions& options) {
  // `open`: a value by which the option leaves the choice to the recipe.
  const auto demand = [](const char* option, const char* name, auto value, bool open = false) {
    const OptionRange& range = option_range(option);
    if (!open && !range.contains(static_cast<double>(value))) fail(ErrorKind::usage, "{} is {}, {} expected", name, value, range.words());
  };
  demand("epochs", "epochs", options.epochs, options.epochs == 0);
  if (options.batch == 1) fail(ErrorKind::usage, "batch is 1, 2 or more (batch norm cannot train on one picture) expected");
  demand("batch", "batch", options.batch, options.batch == 0);
  demand("accumulate", "accumulate", options.accumulate);
  demand("lr", "the rate", options.rate, options.rate == 0);
  demand("warmup", "the warm-up", options.warmup, options.warmup < 0);
  demand("momentum", "the momentum", options.momentum);
  demand("weight-decay", "the weight decay", options.weight_decay, options.weight_decay < 0);
  demand("layer-decay", "the layer decay", options.layer_decay, options.layer_decay == 0);
  demand("clip", "the clipping norm", options.clip_norm, options.clip_norm == 0);
  demand("ema", "the decay of averaged weights", options.ema);
  demand("patience", "the patience", options.patience, options.patience == 0);
  demand("focal-gamma", "the focal gamma", options.focal_gamma);
  demand("label-smoothing", "the label smoothing", options.label_smoothing, options.label_smoothing < 0);
  demand("dropout", "the dropout", options.dropout, options.dropout < 0);
  demand("stochastic-depth", "the stochastic depth", options.stochastic_depth, options.stochastic_depth < 0);
  demand("vertical-flip", "the probability of a vertical flip", options.vertical_flip);
  demand("erasing", "the probability of erasing", options.random_erasing);
  demand("mixup", "the alpha of mixup", options.mixup, options.mixup == 0);
  demand("cutmix", "the alpha of cutmix", options.cutmix, options.cutmix == 0);
  demand("stored-views", "the number of stored views", options.stored_views, options.stored_views == 0);
  demand("validation", "the validation share", options.validation);
  demand("test", "the test share", options.test);
  demand("folds", "the number of folds", options.folds, options.folds == 0);
  demand("seeds", "the number of seeds", options.seeds);
  demand("checkpoint-every", "the time between checkpoints", options.checkpoint_seconds);
}

// Choices that only make sense with, or without, another.
void check_together(const TrainOptions& options, const Facts& facts) {
  const char* const wants_validation = options.patience > 0                        ? "a patience of epochs"
                                       : options.schedule == RateSchedule::plateau ? "the schedule plateau"
                                                                                   : nullptr;
  if (wants_validation && facts.validation == 0 && options.validation == 0)
    fail(ErrorKind::usage, "{} needs validation pictures, the validation share is {}", wants_validation, options.validation);
  if (options.loss_of_maps && options.loss_callback)
    fail(ErrorKind::usage, "two losses of the caller's own are given, loss_of_maps and loss_callback: one is expected");
  if ((options.loss_of_maps || options.loss_callback) && (options.loss != Loss::automatic || options.class_weights))
    fail(ErrorKind::usage, "a loss of the caller's own takes the place of the loss and the class weights that are asked for beside it");
  if (options.augment_picture && options.stored_views > 0)
    fail(ErrorKind::usage, "{} stored views and an augmentation of the caller's own contradict each other", options.stored_views);
  if (options.head && options.head->dropout >= 0 && options.dropout >= 0 && options.head->dropout != options.dropout)
    fail(ErrorKind::usage, "a dropout of {} and a head with a dropout of {} contradict each other", options.dropout, options.head->dropout);
}

// Does both and compares, in place of what was decided by the number of pictures alone.
void try_both(Plan& plan, const TrainOptions& options, const Facts& facts) {
  Phase trial = finetune(options, facts)[1];
  trial.trial = true;
  if (options.epochs == 0) trial.epochs = kTrialEpochs;
  if (options.patience == 0) trial.patience = kTrialPatience;
  plan.phases.insert(plan.phases.begin() + 1, trial);
  plan.reason +=
      fmt::format(", so the probe is taken unless {} validation pictures say convincingly that finetune is better", facts.validation);
}

std::string amount(const Facts& facts) {
  if (facts.classes == 0) return fmt::format("{} training pictures", facts.pictures);
  return fmt::format("{} training pictures, {:.0f} a class,", facts.pictures,
                     static_cast<double>(facts.pictures) / static_cast<double>(facts.classes));
}

}  // namespace

Plan make_plan(const TrainOptions& given, const Facts& facts) {
  const TrainOptions options = with_preset(given, facts);
  check_options(options);
  check_options_together(options);
  check_together(options, facts);
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
  } else if (const std::string what = concerns_backbone(options); options.freeze != "all" && !what.empty()) {
    recipe = Recipe::finetune;
    plan.reason = fmt::format("{} is about the layers below the head", what);
  } else if (options.freeze == "all") {
    recipe = Recipe::probe;
    plan.reason = "freeze all leaves the head alone to train";
  } else if (facts.pictures < std::max(kFinetunePictures, kFinetunePicturesOfClass * facts.classes)) {
    recipe = Recipe::probe;
    plan.reason = fmt::format("{} are fewer than the {} ({} a class) from which training the backbone pays for sure", amount(facts),
                              std::max(kFinetunePictures, kFinetunePicturesOfClass * facts.classes), kFinetunePicturesOfClass);
  } else {
    recipe = Recipe::finetune;
    plan.reason = fmt::format("{} are enough for training the backbone to pay", amount(facts));
  }
  plan.recipe = to_string(recipe);
  if (facts.multi_label && options.loss == Loss::cross_entropy)
    fail(ErrorKind::usage, "cross entropy needs one label a picture, and some have several or none: binary or focal can do that");
  plan.phases = recipe == Recipe::probe      ? probe(options, facts)
                : recipe == Recipe::finetune ? finetune(options, facts)
                                             : full(options, facts);
  if (recipe == Recipe::probe && tries_both(options, facts)) try_both(plan, options, facts);
  if (facts.multi_label)
    for (Phase& phase : plan.phases) phase.loss.kind = LossOptions::Kind::binary;
  for (Phase& phase : plan.phases) phase.loss.soft_targets = phase.loss.soft_targets || facts.soft_targets;
  apply_preset(plan, options, facts);
  const bool solves = std::ranges::any_of(plan.phases, [](const Phase& phase) { return phase.solved; });
  if (options.fit_by_validation && !solves)
    fail(ErrorKind::usage, "the fit is chosen by solving for a linear head, which this run ({}) does not: name crop, pad or squash",
         plan.recipe);
  plan.unused = unused_options(options, plan);
  if (!plan.unused.empty() && options.recipe != Recipe::automatic) fail(ErrorKind::usage, "{}", plan.unused.front());
  return plan;
}

std::optional<image::Augmentation> augmentation_of(const TrainOptions& options) {
  image::Augmentation augmentation;
  if (options.augment_picture) {
    augmentation.flip = 0;
    augmentation.own = std::make_shared<const std::function<Image(const Image&, uint64_t)>>(options.augment_picture);
    return augmentation;
  }
  augmentation.flip = options.augment ? 0.5 : 0.0;
  augmentation.vertical_flip = options.vertical_flip;
  augmentation.erasing.probability = options.random_erasing;
  const std::string& name = options.augmentation;
  const auto kind = name.empty() ? AugmentationKind::standard : value_of(kAugmentations, name);
  if (!kind) fail(ErrorKind::usage, "augmentation \"{}\" is none of {}", name, names_of(kAugmentations));
  const bool light = kind == AugmentationKind::light, standard = kind == AugmentationKind::standard;
  if (!light && !standard) augmentation.policy.policy = *value_of(image::kPolicies, name);
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

const char* loss_name(const LossOptions& loss) {
  if (loss.own()) return "the caller's own";
  return loss.kind == LossOptions::Kind::binary ? "binary cross entropy" : "cross entropy";
}

const char* to_string(Recipe recipe) { return name_of(kRecipes, recipe); }
const char* to_string(Optimizer optimizer) { return name_of(kOptimizers, optimizer); }
const char* to_string(RateSchedule schedule) { return name_of(kSchedules, schedule); }

const char* to_string(const OptimizerOptions& optimizer) {
  switch (optimizer.kind) {
    case OptimizerOptions::Kind::adamw:
      return to_string(Optimizer::adamw);
    case OptimizerOptions::Kind::rmsprop:
      return to_string(Optimizer::rmsprop);
    case OptimizerOptions::Kind::sgd:
      break;
  }
  return to_string(optimizer.nesterov ? Optimizer::nesterov : Optimizer::sgd);
}

}  // namespace fovea::training
