#include "cli/train_options.h"

#include <fmt/core.h>

#include <string_view>

namespace fovea::cli {
namespace {

template <class T>
struct Named {
  std::string_view name;
  T value;
};

// In the order of the help.
constexpr Named<Recipe> kRecipes[] = {
    {"auto", Recipe::automatic}, {"finetune", Recipe::finetune}, {"full", Recipe::full}, {"probe", Recipe::probe}};
constexpr Named<HeadKind> kHeads[] = {{"concat_pool", HeadKind::concat_pool}, {"linear", HeadKind::linear}, {"mlp", HeadKind::mlp}};
constexpr Named<Optimizer> kOptimizers[] = {
    {"adamw", Optimizer::adamw}, {"nesterov", Optimizer::nesterov}, {"rmsprop", Optimizer::rmsprop}, {"sgd", Optimizer::sgd}};
constexpr Named<RateSchedule> kSchedules[] = {{"constant", RateSchedule::constant},
                                              {"cosine", RateSchedule::cosine},
                                              {"one_cycle", RateSchedule::one_cycle},
                                              {"plateau", RateSchedule::plateau},
                                              {"step", RateSchedule::step}};
constexpr Named<Loss> kLosses[] = {
    {"auto", Loss::automatic}, {"binary", Loss::binary_cross_entropy}, {"cross_entropy", Loss::cross_entropy}, {"focal", Loss::focal}};
constexpr Named<FeatureCache> kCaches[] = {
    {"auto", FeatureCache::automatic}, {"disk", FeatureCache::disk}, {"memory", FeatureCache::memory}, {"off", FeatureCache::off}};
constexpr Named<Choice> kChoices[] = {{"auto", Choice::automatic}, {"off", Choice::off}, {"on", Choice::on}};

// A text that must be one of the table's names.
template <class T, size_t N>
Argument add_choice(Command& command, const char* name, std::string& value, const Named<T> (&table)[N], const char* what) {
  std::vector<std::string> names;
  for (const Named<T>& one : table) names.emplace_back(one.name);
  return command.option(name, value, what).one_of(names);
}

// An empty name leaves the target as it is.
template <class Target, class T, size_t N>
void take(Target& target, const Named<T> (&table)[N], const std::string& name) {
  for (const Named<T>& one : table)
    if (one.name == name) target = one.value;
}

void add_recipe(Command& command, TrainingOptions& options) {
  add_choice(command, "--recipe", options.recipe, kRecipes, "How to train").shows_default();
  command
      .option("--preset", options.train.preset,
              "bit: steps, rates, schedule, size of the pictures and crops of BiT's rule for fine-tuning (BiT-HyperRule); --size is "
              "used where it is given")
      .one_of({"bit"});
  command
      .option("--freeze", options.freeze,
              "Leave a part as it is: everything up to and including a tap, a layer or parameters by a pattern of their names "
              "(\"layer1.*,*.bn*\"), all but the head, or what the pictures of a class suggest (default: the recipe's)")
      .type("none|all|auto|TAP|PATTERN");
  add_choice(command, "--head", options.head, kHeads,
             "The new head: linear, mlp (a hidden layer) or concat_pool (mean and maximum of the last map, a hidden layer, batch norm); "
             "default: what the model has");
  command.option("--hidden", options.head_options.hidden, "Width of the hidden layer of mlp and concat_pool")
      .type("N")
      .in_range()
      .needs("--head")
      .shows_default();
}

void add_optimization(Command& command, TrainingOptions& options) {
  TrainOptions& train = options.train;
  command.option("--epochs", train.epochs, "Passes over the pictures (default: the recipe's)").type("N").in_range();
  command.option("--batch", train.batch, "Pictures a step (default: the recipe's)").type("N").in_range();
  command.option("--accumulate", train.accumulate, "Batches whose gradients make one step").type("N").in_range().shows_default();
  add_choice(command, "--optimizer", options.optimizer, kOptimizers, "Default: the recipe's");
  command.option("--lr", train.rate, "Highest rate (default: the recipe's)").type("RATE").in_range();
  add_choice(command, "--schedule", options.schedule, kSchedules, "How the rate goes over the steps (default: cosine)");
  command.option("--warmup", train.warmup, "Share of the steps over which the rate rises (default: 0.1, of one_cycle 0.3)")
      .type("SHARE")
      .in_range();
  command.option("--momentum", train.momentum, "Of sgd, nesterov and rmsprop").type("M").in_range().shows_default();
  command.option("--weight-decay", train.weight_decay, "Not of norms and biases (default: the recipe's)").type("D").in_range();
  command.option("--layer-decay", train.layer_decay, "Rate of a group of layers, of the one above it (default: the recipe's)")
      .type("F")
      .in_range();
  command.option("--clip", train.clip_norm, "Longest gradient, all parameters together (default: not clipped)").type("NORM").in_range();
  command.option("--ema", train.ema, "Average the weights with this decay; the average is validated and saved").type("DECAY").in_range();
  command.option("--patience", train.patience, "End a phase after N epochs without a better validation (default: never)")
      .type("N")
      .in_range();
}

void add_loss(Command& command, TrainingOptions& options) {
  TrainOptions& train = options.train;
  add_choice(command, "--loss", options.loss, kLosses, "Default: cross_entropy, or binary where pictures have several labels");
  command.option("--focal-gamma", train.focal_gamma, "Of the focal loss").type("G").in_range().shows_default();
  command.option("--label-smoothing", train.label_smoothing, "Default: the recipe's").type("E").in_range();
  command.flag("--class-weights", train.class_weights, "Let pictures of rare classes count more in the loss");
  command.flag("--balanced", train.balanced_sampling, "Draw every class equally often");
  command.option("--dropout", train.dropout, "Before the classifier (default: the network's)").type("P").in_range();
  command.option("--stochastic-depth", train.stochastic_depth, "Of the last block, falling to 0 at the first (default: the network's)")
      .type("P")
      .in_range();
}

void add_augmentation(Command& command, TrainingOptions& options) {
  add_changes(command, options);
  command.option("--stored-views", options.train.stored_views, "Augmented views of a picture that the feature cache keeps")
      .type("N")
      .in_range();
}

void add_split(Command& command, TrainingOptions& options) {
  TrainOptions& train = options.train;
  command.option("--validation", train.validation, "Share of the pictures to choose the best epoch by")
      .type("F")
      .in_range()
      .shows_default();
  command.option("--test", train.test, "Share of the pictures to look at only at the end").type("F").in_range().shows_default();
  command.option("--folds", train.folds, "Cross validation: K runs, each tested on the pictures that it did not see, then one on all")
      .type("K")
      .in_range();
  command.option("--seeds", train.seeds, "Everything N times, with the seeds from --seed on").type("N").in_range().shows_default();
  command.option("--seed", train.seed, "Decides the split and the training; the same one gives the same bits").type("N").shows_default();
  add_choice(command, "--tta", options.mirrored, kChoices, "Average the mirrored picture's answer in; auto: where cross validation says so")
      .shows_default("auto");
}

void add_outputs(Command& command, TrainingOptions& options) {
  TrainOptions& train = options.train;
  command.option("--out", train.out, "The run's folder (default: run, or run-2 and so on where there is one)").type("DIR");
  command.flag("--overwrite", train.overwrite, "Replace the run in DIR, once this one is finished");
  command.flag("--resume", train.resume,
               "Go on with the run in DIR where it stopped, to the same bits as without the interruption; --resume DIR alone takes the "
               "run's own options");
  command.option("--checkpoint-every", train.checkpoint_seconds, "Save within epochs, too: a kill loses at most so many seconds")
      .type("SECONDS")
      .in_range()
      .shows_default();
  add_choice(command, "--cache", options.cache, kCaches, "Where the outputs of a frozen part are kept").shows_default("auto");
  command.option("--cache-limit", train.cache_bytes, "Memory for them and for what a probe keeps of the pictures, beyond which both go to DIR: 500M, 2G (default: 1Gi)").bytes();
  command
      .option("--picture-cache", train.picture_cache_bytes,
              "Memory for decoded pictures, so that only the first epoch decodes them: 0, 500M, 2G (default: 512Mi)")
      .bytes();
  command.option("--memory", options.memory, "What the training may take in all, for which steps compute values again: 500M, 1.5G")
      .type("SIZE");
  command.flag("--tensorboard", train.tensorboard, "Write event files for TensorBoard into DIR/tensorboard");
  command.flag("--no-report", options.no_report, "Write no report.html");
}

}  // namespace

void add_changes(Command& command, TrainingOptions& options) {
  TrainOptions& train = options.train;
  command
      .option("--augment", train.augmentation,
              "light (flips), standard (crops, flips, colors), or a policy of torchvision's (default: the recipe's)")
      .one_of({"light", "standard", "randaugment", "trivialaugment", "autoaugment"});
  command.flag("--no-augment", options.no_augment, "Show the pictures as they are, without random crops, flips and colours");
  command.option("--vertical-flip", train.vertical_flip, "Probability of turning the picture upside down").type("P").in_range();
  command.option("--erasing", train.random_erasing, "Probability that a random rectangle is erased").type("P").in_range();
  command.option("--mixup", train.mixup, "Alpha of mixup (default: none)").type("A").in_range();
  command.option("--cutmix", train.cutmix, "Alpha of cutmix (default: none)").type("A").in_range();
}

void add_training(Command& command, TrainingOptions& options) {
  add_recipe(command, options);
  add_optimization(command, options);
  add_loss(command, options);
  add_augmentation(command, options);
  add_split(command, options);
  add_preprocessing(command, options.preprocessing,
                    "squash, and of a probe with few pictures squash+pad where cross validation prefers it; auto: what it prefers of all",
                    "auto|crop|pad|squash|squash+pad");
  add_decode(command, options.preprocessing);
  add_outputs(command, options);
}

TrainOptions train_options(const TrainingOptions& options) {
  TrainOptions train = options.train;
  take(train.recipe, kRecipes, options.recipe);
  train.freeze = options.freeze;
  if (!options.head.empty()) {
    train.head = options.head_options;
    take(train.head->kind, kHeads, options.head);
    if (train.head->kind == HeadKind::linear && train.head->hidden != HeadOptions{}.hidden)
      throw Error(ErrorKind::usage,
                  fmt::format("--hidden {} is of the heads mlp and concat_pool, --head linear was asked for", train.head->hidden));
  }
  train.optimizer_given = !options.optimizer.empty();
  take(train.optimizer, kOptimizers, options.optimizer);
  take(train.schedule, kSchedules, options.schedule);
  take(train.loss, kLosses, options.loss);
  take(train.mirrored, kChoices, options.mirrored);
  take(train.cache, kCaches, options.cache);
  train.augment = !options.no_augment;
  train.report = !options.no_report;
  train.keep_size = !options.preprocessing.size.empty();
  if (options.no_augment && !train.augmentation.empty())
    throw Error(ErrorKind::usage, fmt::format("--no-augment and --augment {} contradict each other", train.augmentation));
  train.fit_by_validation = options.preprocessing.fit == "auto";
  if (!options.preprocessing.fit.empty() && !train.fit_by_validation) {
    const std::vector<Fit> fits = parse_fits(options.preprocessing.fit);
    train.fit = fits.front();
    if (fits.size() > 1) train.second_fit = fits.back();
  }
  if (!options.preprocessing.alpha.empty()) train.alpha = parse_alpha(options.preprocessing.alpha);
  if (!options.preprocessing.decode.empty()) train.decode = parse_decode(options.preprocessing.decode);
  if (!options.preprocessing.range.empty()) train.range = parse_range(options.preprocessing.range);
  if (options.preprocessing.page > 0) train.page = options.preprocessing.page;
  if (!options.memory.empty()) train.memory_bytes = static_cast<size_t>(parse_bytes(options.memory));
  if (train.validation + train.test >= 1)
    throw Error(ErrorKind::usage, fmt::format("--validation {} and --test {} leave no picture to train on", train.validation, train.test));
  return train;
}

}  // namespace fovea::cli
