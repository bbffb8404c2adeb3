#include "cli/train_options.h"

#include <fmt/format.h>

#include <map>

namespace fovea::cli {
namespace {

const std::map<std::string, Recipe> kRecipes{
    {"auto", Recipe::automatic}, {"probe", Recipe::probe}, {"finetune", Recipe::finetune}, {"full", Recipe::full}};
const std::map<std::string, HeadKind> kHeads{{"linear", HeadKind::linear}, {"mlp", HeadKind::mlp}, {"concat_pool", HeadKind::concat_pool}};
const std::map<std::string, Optimizer> kOptimizers{
    {"adamw", Optimizer::adamw}, {"sgd", Optimizer::sgd}, {"nesterov", Optimizer::nesterov}, {"rmsprop", Optimizer::rmsprop}};
const std::map<std::string, RateSchedule> kSchedules{{"cosine", RateSchedule::cosine},
                                                     {"step", RateSchedule::step},
                                                     {"one_cycle", RateSchedule::one_cycle},
                                                     {"plateau", RateSchedule::plateau},
                                                     {"constant", RateSchedule::constant}};
const std::map<std::string, Loss> kLosses{
    {"auto", Loss::automatic}, {"cross_entropy", Loss::cross_entropy}, {"focal", Loss::focal}, {"binary", Loss::binary_cross_entropy}};
const std::map<std::string, FeatureCache> kCaches{
    {"auto", FeatureCache::automatic}, {"memory", FeatureCache::memory}, {"disk", FeatureCache::disk}, {"off", FeatureCache::off}};
const std::map<std::string, Choice> kChoices{{"auto", Choice::automatic}, {"on", Choice::on}, {"off", Choice::off}};

// A text that must be one of the table's names.
template <class T>
CLI::Option* add_choice(CLI::App& command, const char* name, std::string& value, const std::map<std::string, T>& table, const char* what) {
  std::vector<std::string> names;
  for (const auto& [key, unused] : table) names.push_back(key);
  return command.add_option(name, value, what)->type_name(CLI::detail::join(names, "|"))->check(CLI::IsMember(names).description(""));
}

template <class Target, class T>
void take(Target& target, const std::map<std::string, T>& table, const std::string& name) {
  if (!name.empty()) target = table.at(name);
}

void add_recipe(CLI::App& command, TrainingOptions& options) {
  add_choice(command, "--recipe", options.recipe, kRecipes, "How to train")->capture_default_str();
  command
      .add_option("--preset", options.train.preset,
                  "bit: steps, rates, schedule, size of the pictures and crops of BiT's rule for fine-tuning (BiT-HyperRule); --size is "
                  "used where it is given")
      ->type_name("bit")
      ->check(CLI::IsMember({"bit"}).description(""));
  command
      .add_option("--freeze", options.freeze,
                  "Leave a part as it is: everything up to and including a tap, a layer or parameters by a pattern of their names "
                  "(\"layer1.*,*.bn*\"), all but the head, or what the pictures of a class suggest (default: the recipe's)")
      ->type_name("none|all|auto|TAP|PATTERN");
  add_choice(command, "--head", options.head, kHeads,
             "The new head: linear, mlp (a hidden layer) or concat_pool (mean and maximum of the last map, a hidden layer, batch norm); "
             "default: what the model has");
  command.add_option("--hidden", options.head_options.hidden, "Width of the hidden layer of mlp and concat_pool")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->needs("--head")
      ->capture_default_str();
}

void add_optimization(CLI::App& command, TrainingOptions& options) {
  TrainOptions& train = options.train;
  command.add_option("--epochs", train.epochs, "Passes over the pictures (default: the recipe's)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command.add_option("--batch", train.batch, "Pictures a step (default: the recipe's)")->type_name("N")->check(CLI::PositiveNumber);
  command.add_option("--accumulate", train.accumulate, "Batches whose gradients make one step")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_choice(command, "--optimizer", options.optimizer, kOptimizers, "Default: the recipe's");
  command.add_option("--lr", train.rate, "Highest rate (default: the recipe's)")->type_name("RATE")->check(CLI::PositiveNumber);
  add_choice(command, "--schedule", options.schedule, kSchedules, "How the rate goes over the steps (default: cosine)");
  command.add_option("--warmup", train.warmup, "Share of the steps over which the rate rises (default: 0.1, of one_cycle 0.3)")
      ->type_name("SHARE")
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--momentum", train.momentum, "Of sgd, nesterov and rmsprop")
      ->type_name("M")
      ->check(CLI::Range(0.0, 0.9999))
      ->capture_default_str();
  command.add_option("--weight-decay", train.weight_decay, "Not of norms and biases (default: the recipe's)")
      ->type_name("D")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--layer-decay", train.layer_decay, "Rate of a group of layers, of the one above it (default: the recipe's)")
      ->type_name("F")
      ->check(CLI::Range(0.0001, 1.0));
  command.add_option("--clip", train.clip_norm, "Longest gradient, all parameters together (default: not clipped)")
      ->type_name("NORM")
      ->check(CLI::PositiveNumber);
  command.add_option("--ema", train.ema, "Average the weights with this decay; the average is validated and saved")
      ->type_name("DECAY")
      ->check(CLI::Range(0.0, 0.99999));
  command.add_option("--patience", train.patience, "End a phase after N epochs without a better validation (default: never)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void add_loss(CLI::App& command, TrainingOptions& options) {
  TrainOptions& train = options.train;
  add_choice(command, "--loss", options.loss, kLosses, "Default: cross_entropy, or binary where pictures have several labels");
  command.add_option("--focal-gamma", train.focal_gamma, "Of the focal loss")
      ->type_name("G")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--label-smoothing", train.label_smoothing, "Default: the recipe's")->type_name("E")->check(CLI::Range(0.0, 0.999));
  command.add_flag("--class-weights", train.class_weights, "Let pictures of rare classes count more in the loss");
  command.add_flag("--balanced", train.balanced_sampling, "Draw every class equally often");
  command.add_option("--dropout", train.dropout, "Before the classifier (default: the network's)")
      ->type_name("P")
      ->check(CLI::Range(0.0, 0.99));
  command.add_option("--stochastic-depth", train.stochastic_depth, "Of the last block, falling to 0 at the first (default: the network's)")
      ->type_name("P")
      ->check(CLI::Range(0.0, 0.99));
}

void add_augmentation(CLI::App& command, TrainingOptions& options) {
  add_changes(command, options);
  command.add_option("--stored-views", options.train.stored_views, "Augmented views of a picture that the feature cache keeps")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void add_split(CLI::App& command, TrainingOptions& options) {
  TrainOptions& train = options.train;
  command.add_option("--validation", train.validation, "Share of the pictures to choose the best epoch by")
      ->type_name("F")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command.add_option("--test", train.test, "Share of the pictures to look at only at the end")
      ->type_name("F")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command.add_option("--folds", train.folds, "Cross validation: K runs, each tested on the pictures that it did not see, then one on all")
      ->type_name("K")
      ->check(CLI::Range(2, 1000));
  command.add_option("--seeds", train.seeds, "Everything N times, with the seeds from --seed on")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--seed", train.seed, "Decides the split and the training; the same one gives the same bits")
      ->type_name("N")
      ->capture_default_str();
  add_choice(command, "--tta", options.mirrored, kChoices, "Average the mirrored picture's answer in; auto: where cross validation says so")
      ->default_str("auto");
}

void add_outputs(CLI::App& command, TrainingOptions& options) {
  TrainOptions& train = options.train;
  command.add_option("--out", train.out, "The run's folder")->type_name("DIR")->capture_default_str();
  command.add_flag("--resume", train.resume, "Go on with the run in DIR where it stopped, to the same bits as without the interruption");
  add_choice(command, "--cache", options.cache, kCaches, "Where the outputs of a frozen part are kept")->default_str("auto");
  command.add_option("--cache-limit", train.cache_bytes, "Memory for them, beyond which they go to DIR: 500M, 2G (default: 1Gi)")
      ->transform(CLI::AsSizeValue(true).description(""))
      ->type_name("SIZE");
  command
      .add_option("--picture-cache", train.picture_cache_bytes,
                  "Memory for decoded pictures, so that only the first epoch decodes them: 0, 500M, 2G (default: 512Mi)")
      ->transform(CLI::AsSizeValue(true).description(""))
      ->type_name("SIZE");
  command.add_option("--memory", options.memory, "What the training may take in all, for which steps compute values again: 500M, 1.5G")
      ->type_name("SIZE");
  command.add_flag("--tensorboard", train.tensorboard, "Write event files for TensorBoard into DIR/tensorboard");
  command.add_flag("--no-report", options.no_report, "Write no report.html");
}

}  // namespace

void add_changes(CLI::App& command, TrainingOptions& options) {
  TrainOptions& train = options.train;
  command
      .add_option("--augment", train.augmentation,
                  "light (flips), standard (crops, flips, colors), or a policy of torchvision's (default: the recipe's)")
      ->type_name("light|standard|randaugment|trivialaugment|autoaugment")
      ->check(CLI::IsMember({"light", "standard", "randaugment", "trivialaugment", "autoaugment"}).description(""));
  command.add_flag("--no-augment", options.no_augment, "Show the pictures as they are, without random crops, flips and colours");
  command.add_option("--vertical-flip", train.vertical_flip, "Probability of turning the picture upside down")
      ->type_name("P")
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--erasing", train.random_erasing, "Probability that a random rectangle is erased")
      ->type_name("P")
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--mixup", train.mixup, "Alpha of mixup (default: none)")->type_name("A")->check(CLI::PositiveNumber);
  command.add_option("--cutmix", train.cutmix, "Alpha of cutmix (default: none)")->type_name("A")->check(CLI::PositiveNumber);
}

void add_training(CLI::App& command, TrainingOptions& options) {
  options.train.out = "run";
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
  if (!options.memory.empty()) train.memory_bytes = static_cast<size_t>(parse_bytes(options.memory));
  if (train.validation + train.test >= 1)
    throw Error(ErrorKind::usage, fmt::format("--validation {} and --test {} leave no picture to train on", train.validation, train.test));
  return train;
}

}  // namespace fovea::cli
