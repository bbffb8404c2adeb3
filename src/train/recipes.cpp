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

std::shared_ptr<const HostLossHandle> host_loss_of(const std::function<double(const LossAnswers&)>& callback) {
  return std::make_shared<const HostLossHandle>([callback](int64_t pictures, int64_t classes, std::span<const float> logits,
                                                           std::span<const float> targets, std::span<float> gradient) {
    return callback({pictures, classes, logits, targets, gradient});
  });
}

LossOptions loss_options(const TrainOptions& options, const Numbers& numbers) {
  LossOptions loss;
  if (options.regularization.loss == Loss::binary_cross_entropy) loss.kind = LossOptions::Kind::binary;
  loss.smoothing = options.regularization.label_smoothing.value_or(numbers.smoothing);
  if (options.regularization.loss == Loss::focal) loss.focal_gamma = options.regularization.focal_gamma;
  loss.class_weights = options.regularization.class_weights;
  if (options.regularization.loss_of_maps) loss.composed = options.regularization.loss_of_maps;
  if (options.regularization.loss_callback) loss.host = host_loss_of(options.regularization.loss_callback);
  if (loss.own()) loss.class_weights = false;
  loss.soft_targets = loss.own();
  return loss;
}

OptimizerOptions optimizer_options(const TrainOptions& options, const Numbers& numbers) {
  using Kind = OptimizerOptions::Kind;
  OptimizerOptions optimizer;
  if (options.optimizer.kind.value_or(Optimizer::adamw) != Optimizer::adamw)
    optimizer.kind = options.optimizer.kind == Optimizer::rmsprop ? Kind::rmsprop : Kind::sgd;
  optimizer.nesterov = options.optimizer.kind == Optimizer::nesterov;
  optimizer.momentum = options.optimizer.momentum;
  const double decay = optimizer.kind == Kind::adamw ? numbers.adamw_decay
                       : optimizer.kind == Kind::sgd ? numbers.sgd_decay
                                                     : kRmspropDecay;
  optimizer.weight_decay = options.optimizer.weight_decay.value_or(decay);
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
  phase.batch = options.optimizer.batch_size.value_or(numbers.batch);
  phase.optimizer = optimizer_options(options, numbers);
  phase.rate = rate_of(phase.optimizer, numbers.adamw_rate, numbers.sgd_rate);
  phase.loss = loss_options(options, numbers);
  phase.schedule = options.optimizer.schedule.value_or(RateSchedule::cosine);
  phase.warmup = options.optimizer.warmup.value_or(phase.schedule == RateSchedule::one_cycle ? kOneCycleWarmup : kWarmup);
  phase.accumulate = options.optimizer.grad_accum_steps;
  phase.clip_norm = options.optimizer.clip_grad.value_or(0);
  phase.ema = options.optimizer.ema_decay.value_or(0);
  phase.patience = options.optimizer.patience.value_or(0);
  return phase;
}

// What the options say of the phase that the recipe is about; a head that comes first keeps its own.
void apply(Phase& phase, const TrainOptions& options) {
  phase.epochs = options.optimizer.epochs.value_or(phase.epochs);
  phase.rate = options.optimizer.lr.value_or(phase.rate);
  phase.rate_of_step = options.optimizer.lr_of_step;
}

// Takes from the options what concerns the backbone.
void apply_to_backbone(Phase& phase, const TrainOptions& options) {
  if (!options.freeze.empty()) phase.freeze = options.freeze;
  phase.layer_decay = options.optimizer.layer_decay.value_or(0);
  phase.stochastic_depth = options.regularization.stochastic_depth.value_or(-1);
}

// On features there is nothing left to crop, to colour or to mix.
void show_changed(Phase& phase, const TrainOptions& options) {
  phase.augmentation = augmentation_of(options);
  phase.mixing = mixing_of(options);
  phase.loss.soft_targets = phase.loss.soft_targets || phase.mixing.any();
}

// The option that only training on pictures can follow; empty: none was given.
std::string changes_pictures(const TrainOptions& options) {
  if (options.augmentation.mixup > 0) return fmt::format("mixup {}", options.augmentation.mixup);
  if (options.augmentation.cutmix > 0) return fmt::format("cutmix {}", options.augmentation.cutmix);
  if (options.augmentation.random_erasing > 0) return fmt::format("erasing {}", options.augmentation.random_erasing);
  if (options.augmentation.vertical_flip > 0) return fmt::format("vertical flip {}", options.augmentation.vertical_flip);
  if (options.augmentation.of_picture) return "an augmentation of the caller's own";
  const Augment policy = options.augmentation.policy.value_or(Augment::off);
  if (policy != Augment::off && policy != Augment::light) return fmt::format("augmentation {}", to_string(policy));
  return {};
}

// The option that is about the layers below the head; empty: none was given.
std::string concerns_backbone(const TrainOptions& options) {
  if (options.optimizer.layer_decay) return fmt::format("layer decay {}", *options.optimizer.layer_decay);
  if (options.regularization.stochastic_depth) return fmt::format("stochastic depth {}", *options.regularization.stochastic_depth);
  return {};
}

Phase features_phase(std::string name, const Numbers& numbers, const TrainOptions& options) {
  Phase phase = phase_of(std::move(name), numbers, options);
  phase.on_features = true;
  phase.freeze = "all";
  if (options.augmentation.policy != Augment::off) phase.augmentation.emplace();
  return phase;
}

// Whether the head can be solved for: where it is linear and nobody asks for a loss or steps of his own.
bool can_solve(const TrainOptions& options, const Facts& facts) {
  const bool weighted = options.regularization.class_weights || options.data.balanced_sampling;
  return facts.linear_head && options.regularization.loss != Loss::focal && !options.regularization.loss_of_maps &&
         !options.regularization.loss_callback && !(facts.multi_label && weighted);
}

// Whether finetune is tried beside the probe, where pictures are few: the validation pictures can tell, and nobody wants the head alone.
bool tries_both(const TrainOptions& options, const Facts& facts) {
  return options.recipe == Recipe::automatic && options.freeze != "all" && facts.validation >= kTellingPictures &&
         can_solve(options, facts);
}

bool asks_for_steps(const TrainOptions& options) {
  const TrainOptimizer& asked = options.optimizer;
  return asked.epochs || asked.batch_size || asked.lr || asked.weight_decay || asked.kind || asked.lr_of_step;
}

void solve(Phase& phase, const TrainOptions& options, const Facts& facts) {
  phase.solved = true;
  phase.epochs = 1;
  phase.rate = 0;
  phase.loss.class_weights = options.regularization.class_weights || options.data.balanced_sampling;
  phase.choose_fit = options.views.fit_by_validation;
  phase.second_fit = options.augmentation.policy != Augment::off && facts.pictures < kFinetunePictures;
  phase.average_fits = phase.second_fit && !options.views.fit && options.views.mirrored != Choice::off;
  phase.mirrored = options.views.mirrored;
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
  const auto demand = [](const char* option, const char* name, auto value) {
    const OptionRange& range = option_range(option);
    if (!range.contains(static_cast<double>(value))) fail(ErrorKind::usage, "{} is {}, {} expected", name, value, range.words());
  };
  // What is left to the recipe is no number.
  const auto demand_if_given = [&](const char* option, const char* name, const auto& value) {
    if (value) demand(option, name, *value);
  };
  // 0 is none.
  const auto demand_unless_none = [&](const char* option, const char* name, auto value) {
    if (value != 0) demand(option, name, value);
  };
  const TrainOptimizer& optimizer = options.optimizer;
  demand_if_given("epochs", "epochs", optimizer.epochs);
  if (optimizer.batch_size == 1) fail(ErrorKind::usage, "batch is 1, 2 or more (batch norm cannot train on one picture) expected");
  demand_if_given("batch", "batch", optimizer.batch_size);
  demand("accumulate", "accumulate", optimizer.grad_accum_steps);
  demand_if_given("lr", "the rate", optimizer.lr);
  demand_if_given("warmup", "the warm-up", optimizer.warmup);
  demand("momentum", "the momentum", optimizer.momentum);
  demand_if_given("weight-decay", "the weight decay", optimizer.weight_decay);
  demand_if_given("layer-decay", "the layer decay", optimizer.layer_decay);
  demand_if_given("clip", "the clipping norm", optimizer.clip_grad);
  demand_if_given("ema", "the decay of averaged weights", optimizer.ema_decay);
  demand_if_given("patience", "the patience", optimizer.patience);
  const TrainRegularization& regularization = options.regularization;
  demand("focal-gamma", "the focal gamma", regularization.focal_gamma);
  demand_if_given("label-smoothing", "the label smoothing", regularization.label_smoothing);
  demand_if_given("dropout", "the dropout", regularization.dropout);
  demand_if_given("stochastic-depth", "the stochastic depth", regularization.stochastic_depth);
  const TrainAugmentation& augmentation = options.augmentation;
  demand("vertical-flip", "the probability of a vertical flip", augmentation.vertical_flip);
  demand("erasing", "the probability of erasing", augmentation.random_erasing);
  demand_unless_none("mixup", "the alpha of mixup", augmentation.mixup);
  demand_unless_none("cutmix", "the alpha of cutmix", augmentation.cutmix);
  demand_unless_none("stored-views", "the number of stored views", augmentation.stored_views);
  demand("validation", "the validation share", options.data.validation);
  demand("test", "the test share", options.data.test);
  demand_unless_none("folds", "the number of folds", options.data.folds);
  demand("seeds", "the number of seeds", options.data.seeds);
  demand("checkpoint-every", "the time between checkpoints", options.run.checkpoint_seconds);
}

// Choices that only make sense with, or without, another.
void check_together(const TrainOptions& options, const Facts& facts) {
  const char* const wants_validation = options.optimizer.patience                            ? "a patience of epochs"
                                       : options.optimizer.schedule == RateSchedule::plateau ? "the schedule plateau"
                                                                                             : nullptr;
  if (wants_validation && facts.validation == 0 && options.data.validation == 0)
    fail(ErrorKind::usage, "{} needs validation pictures, the validation share is {}", wants_validation, options.data.validation);
  if (options.regularization.loss_of_maps && options.regularization.loss_callback)
    fail(ErrorKind::usage, "two losses of the caller's own are given, loss_of_maps and loss_callback: one is expected");
  if ((options.regularization.loss_of_maps || options.regularization.loss_callback) &&
      (options.regularization.loss != Loss::automatic || options.regularization.class_weights))
    fail(ErrorKind::usage, "a loss of the caller's own takes the place of the loss and the class weights that are asked for beside it");
  if (options.augmentation.of_picture && options.augmentation.stored_views > 0)
    fail(ErrorKind::usage, "{} stored views and an augmentation of the caller's own contradict each other",
         options.augmentation.stored_views);
  if (options.head && options.head->dropout >= 0 && options.regularization.dropout &&
      options.head->dropout != options.regularization.dropout)
    fail(ErrorKind::usage, "a dropout of {} and a head with a dropout of {} contradict each other", *options.regularization.dropout,
         options.head->dropout);
}

// Does both and compares, in place of what was decided by the number of pictures alone.
void try_both(Plan& plan, const TrainOptions& options, const Facts& facts) {
  Phase trial = finetune(options, facts)[1];
  trial.trial = true;
  if (!options.optimizer.epochs) trial.epochs = kTrialEpochs;
  if (!options.optimizer.patience) trial.patience = kTrialPatience;
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
  if (facts.multi_label && options.regularization.loss == Loss::cross_entropy)
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
  if (options.views.fit_by_validation && !solves)
    fail(ErrorKind::usage, "the fit is chosen by solving for a linear head, which this run ({}) does not: name crop, pad or squash",
         plan.recipe);
  plan.unused = unused_options(options, plan);
  if (!plan.unused.empty() && options.recipe != Recipe::automatic) fail(ErrorKind::usage, "{}", plan.unused.front());
  return plan;
}

std::optional<image::Augmentation> augmentation_of(const TrainOptions& options) {
  image::Augmentation augmentation;
  if (options.augmentation.of_picture) {
    augmentation.flip = 0;
    augmentation.own = std::make_shared<const std::function<Image(const Image&, uint64_t)>>(options.augmentation.of_picture);
    return augmentation;
  }
  const Augment policy = options.augmentation.policy.value_or(Augment::standard);
  const bool changes = policy != Augment::off;
  augmentation.flip = changes ? 0.5 : 0.0;
  augmentation.vertical_flip = options.augmentation.vertical_flip;
  augmentation.erasing.probability = options.augmentation.random_erasing;
  if (policy == Augment::randaugment) augmentation.policy.policy = image::Policy::randaugment;
  if (policy == Augment::trivialaugment) augmentation.policy.policy = image::Policy::trivialaugment;
  if (policy == Augment::autoaugment) augmentation.policy.policy = image::Policy::autoaugment;
  if (changes && policy != Augment::light) {
    augmentation.random_resized_crop = true;
    augmentation.scale_min = 0.35;  // a smaller part of a picture with one object often shows none of it
  }
  if (policy == Augment::standard) augmentation.brightness = augmentation.contrast = augmentation.saturation = 0.2;
  image::check_augmentation(augmentation);
  const bool any = changes || augmentation.vertical_flip > 0 || augmentation.erasing.probability > 0;
  return any ? std::optional(augmentation) : std::nullopt;
}

image::Mixing mixing_of(const TrainOptions& options) { return {options.augmentation.mixup, options.augmentation.cutmix}; }

const char* loss_name(const LossOptions& loss) {
  if (loss.own()) return "the caller's own";
  return loss.kind == LossOptions::Kind::binary ? "binary cross entropy" : "cross entropy";
}

const char* to_string(Augment policy) { return name_of(kAugments, policy); }
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
