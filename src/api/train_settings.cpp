#include <fovea/train_settings.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>
#include <type_traits>

#include "base/error.h"
#include "base/nearest.h"

namespace fovea {
namespace {

template <class T>
struct Choices {
  std::string_view name;
  T value;
};

// In the order of the help.
constexpr Choices<Recipe> kRecipes[] = {
    {"auto", Recipe::automatic}, {"finetune", Recipe::finetune}, {"full", Recipe::full}, {"probe", Recipe::probe}};
constexpr Choices<HeadKind> kHeads[] = {{"concat_pool", HeadKind::concat_pool}, {"linear", HeadKind::linear}, {"mlp", HeadKind::mlp}};
constexpr Choices<Optimizer> kOptimizers[] = {
    {"adamw", Optimizer::adamw}, {"nesterov", Optimizer::nesterov}, {"rmsprop", Optimizer::rmsprop}, {"sgd", Optimizer::sgd}};
constexpr Choices<RateSchedule> kSchedules[] = {{"constant", RateSchedule::constant},
                                                {"cosine", RateSchedule::cosine},
                                                {"one_cycle", RateSchedule::one_cycle},
                                                {"plateau", RateSchedule::plateau},
                                                {"step", RateSchedule::step}};
constexpr Choices<Loss> kLosses[] = {
    {"auto", Loss::automatic}, {"binary", Loss::binary_cross_entropy}, {"cross_entropy", Loss::cross_entropy}, {"focal", Loss::focal}};
constexpr Choices<FeatureCache> kCaches[] = {
    {"auto", FeatureCache::automatic}, {"disk", FeatureCache::disk}, {"memory", FeatureCache::memory}, {"off", FeatureCache::off}};
constexpr Choices<Choice> kAnswers[] = {{"auto", Choice::automatic}, {"off", Choice::off}, {"on", Choice::on}};

struct Row {
  TrainSetting setting;
  void (*set)(TrainOptions& options, const TrainSetting& setting, const std::string& text);
};

[[noreturn]] void refuse(const TrainSetting& setting, const std::string& text, const std::string& expected) {
  fail(ErrorKind::usage, "{} {}: {} expected", setting.name, text.empty() ? "\"\"" : text, expected);
}

template <class T>
void parse(T& target, const TrainSetting& setting, const std::string& text) {
  T value{};
  const char* const begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  const bool whole = std::is_integral_v<T>;
  const bool number = error == std::errc() && end == text.data() + text.size();
  if (!number || (setting.ranged && !option_range(setting.name).contains(static_cast<double>(value))))
    refuse(setting, text,
           setting.ranged ? option_range(setting.name).words()
           : whole        ? fmt::format("a whole number from 0 to {}", std::numeric_limits<T>::max())
                          : "a number");
  target = value;
}

// Rows by what they set. `shown`: the help tells the usual value.
template <auto kMember>
Row number(const char* name, const char* type, const char* help, bool shown = false) {
  Row row{{name, type, help},
          [](TrainOptions& options, const TrainSetting& setting, const std::string& text) { parse(options.*kMember, setting, text); }};
  row.setting.ranged = true;
  if (shown) row.setting.usual = fmt::format("{}", TrainOptions{}.*kMember);
  return row;
}

template <auto kMember>
Row bytes(const char* name, const char* help) {
  Row row{{name, "SIZE", help},
          [](TrainOptions& options, const TrainSetting& setting, const std::string& text) { parse(options.*kMember, setting, text); }};
  row.setting.size = true;
  return row;
}

template <auto kMember>
Row text(const char* name, const char* type, const char* help, std::vector<std::string> choices = {}) {
  Row row{{name, type, help}, [](TrainOptions& options, const TrainSetting&, const std::string& value) { options.*kMember = value; }};
  row.setting.choices = std::move(choices);
  return row;
}

template <auto kMember, bool kOn = true>
Row flag(const char* name, const char* help) {
  return {{name, "", help}, [](TrainOptions& options, const TrainSetting&, const std::string&) { options.*kMember = kOn; }};
}

template <auto kMember, const auto& kTable>
Row choice(const char* name, const char* help, const char* usual = "") {
  Row row{{name, "", help, usual}, [](TrainOptions& options, const TrainSetting&, const std::string& value) {
            for (const auto& one : kTable)
              if (one.name == value) options.*kMember = one.value;
          }};
  for (const auto& one : kTable) row.setting.choices.emplace_back(one.name);
  row.setting.type = fmt::format("{}", fmt::join(row.setting.choices, "|"));
  return row;
}

Row head() {
  Row row{{"head", "",
           "The new head: linear, mlp (a hidden layer) or concat_pool (mean and maximum of the last map, a hidden layer, batch norm); "
           "default: what the model has"},
          [](TrainOptions& options, const TrainSetting&, const std::string& value) {
            options.head.emplace();
            for (const auto& one : kHeads)
              if (one.name == value) options.head->kind = one.value;
          }};
  for (const auto& one : kHeads) row.setting.choices.emplace_back(one.name);
  row.setting.type = fmt::format("{}", fmt::join(row.setting.choices, "|"));
  return row;
}

Row hidden() {
  Row row{{"hidden", "N", "Width of the hidden layer of mlp and concat_pool", fmt::format("{}", HeadOptions{}.hidden)},
          [](TrainOptions& options, const TrainSetting& setting, const std::string& value) {
            if (!options.head) refuse(setting, value, "a head that has one, mlp or concat_pool,");
            parse(options.head->hidden, setting, value);
            if (options.head->kind == HeadKind::linear && options.head->hidden != HeadOptions{}.hidden)
              fail(ErrorKind::usage, "--hidden {} is of the heads mlp and concat_pool, --head linear was asked for", options.head->hidden);
          }};
  row.setting.ranged = true;
  return row;
}

Row optimizer() {
  Row row = choice<&TrainOptions::optimizer, kOptimizers>("optimizer", "Default: the recipe's");
  row.set = [](TrainOptions& options, const TrainSetting&, const std::string& value) {
    options.optimizer_given = true;
    for (const auto& one : kOptimizers)
      if (one.name == value) options.optimizer = one.value;
  };
  return row;
}

Row seed() {
  return {{"seed", "N", "Decides the split and the training; the same one gives the same bits", "0"},
          [](TrainOptions& options, const TrainSetting& setting, const std::string& value) { parse(options.seed, setting, value); }};
}

using T = TrainOptions;

std::vector<Row> recipe_rows() {
  return {
      choice<&T::recipe, kRecipes>("recipe", "How to train", "auto"),
      text<&T::preset>(
          "preset", "bit",
          "bit: steps, rates, schedule, size of the pictures and crops of BiT's rule for fine-tuning (BiT-HyperRule); --size is "
          "used where it is given",
          {"bit"}),
      text<&T::freeze>("freeze", "none|all|auto|TAP|PATTERN",
                       "Leave a part as it is: everything up to and including a tap, a layer or parameters by a pattern of their names "
                       "(\"layer1.*,*.bn*\"), all but the head, or what the pictures of a class suggest (default: the recipe's)"),
      head(),
      hidden(),
  };
}

std::vector<Row> optimization_rows() {
  return {
      number<&T::epochs>("epochs", "N", "Passes over the pictures (default: the recipe's)"),
      number<&T::batch>("batch", "N", "Pictures a step (default: the recipe's)"),
      number<&T::accumulate>("accumulate", "N", "Batches whose gradients make one step", true),
      optimizer(),
      number<&T::rate>("lr", "RATE", "Highest rate (default: the recipe's)"),
      choice<&T::schedule, kSchedules>("schedule", "How the rate goes over the steps (default: cosine)"),
      number<&T::warmup>("warmup", "SHARE", "Share of the steps over which the rate rises (default: 0.1, of one_cycle 0.3)"),
      number<&T::momentum>("momentum", "M", "Of sgd, nesterov and rmsprop", true),
      number<&T::weight_decay>("weight-decay", "D", "Not of norms and biases (default: the recipe's)"),
      number<&T::layer_decay>("layer-decay", "F", "Rate of a group of layers, of the one above it (default: the recipe's)"),
      number<&T::clip_norm>("clip", "NORM", "Longest gradient, all parameters together (default: not clipped)"),
      number<&T::ema>("ema", "DECAY", "Average the weights with this decay; the average is validated and saved"),
      number<&T::patience>("patience", "N", "End a phase after N epochs without a better validation (default: never)"),
  };
}

std::vector<Row> loss_rows() {
  return {
      choice<&T::loss, kLosses>("loss", "Default: cross_entropy, or binary where pictures have several labels"),
      number<&T::focal_gamma>("focal-gamma", "G", "Of the focal loss", true),
      number<&T::label_smoothing>("label-smoothing", "E", "Default: the recipe's"),
      flag<&T::class_weights>("class-weights", "Let pictures of rare classes count more in the loss"),
      flag<&T::balanced_sampling>("balanced", "Draw every class equally often"),
      number<&T::dropout>("dropout", "P", "Before the classifier (default: the network's)"),
      number<&T::stochastic_depth>("stochastic-depth", "P", "Of the last block, falling to 0 at the first (default: the network's)"),
  };
}

std::vector<Row> picture_rows() {
  std::vector<Row> rows{
      text<&T::augmentation>("augment", "light|standard|randaugment|trivialaugment|autoaugment",
                             "light (flips), standard (crops, flips, colors), or a policy of torchvision's (default: the recipe's)",
                             {"light", "standard", "randaugment", "trivialaugment", "autoaugment"}),
      flag<&T::augment, false>("no-augment", "Show the pictures as they are, without random crops, flips and colours"),
      number<&T::vertical_flip>("vertical-flip", "P", "Probability of turning the picture upside down"),
      number<&T::random_erasing>("erasing", "P", "Probability that a random rectangle is erased"),
      number<&T::mixup>("mixup", "A", "Alpha of mixup (default: none)"),
      number<&T::cutmix>("cutmix", "A", "Alpha of cutmix (default: none)"),
  };
  for (Row& row : rows) row.setting.changes_pictures = true;
  rows.push_back(number<&T::stored_views>("stored-views", "N", "Augmented views of a picture that the feature cache keeps"));
  return rows;
}

std::vector<Row> split_rows() {
  return {
      number<&T::validation>("validation", "F", "Share of the pictures to choose the best epoch by", true),
      number<&T::test>("test", "F", "Share of the pictures to look at only at the end", true),
      number<&T::folds>("folds", "K", "Cross validation: K runs, each tested on the pictures that it did not see, then one on all"),
      number<&T::seeds>("seeds", "N", "Everything N times, with the seeds from --seed on", true),
      seed(),
      choice<&T::mirrored, kAnswers>("tta", "Average the mirrored picture's answer in; auto: where cross validation says so", "auto"),
  };
}

std::vector<Row> output_rows() {
  return {
      text<&T::out>("out", "DIR", "The run's folder (default: run, or run-2 and so on where there is one)"),
      flag<&T::overwrite>("overwrite", "Replace the run in DIR, once this one is finished"),
      flag<&T::resume>("resume",
                       "Go on with the run in DIR where it stopped, to the same bits as without the interruption; --resume DIR alone takes "
                       "the run's own options"),
      number<&T::checkpoint_seconds>("checkpoint-every", "SECONDS", "Save within epochs, too: a kill loses at most so many seconds", true),
      choice<&T::cache, kCaches>("cache", "Where the outputs of a frozen part are kept", "auto"),
      bytes<&T::cache_bytes>(
          "cache-limit",
          "Memory for them and for what a probe keeps of the pictures, beyond which both go to DIR: 500M, 2G (default: 1Gi)"),
      bytes<&T::picture_cache_bytes>(
          "picture-cache", "Memory for decoded pictures, so that only the first epoch decodes them: 0, 500M, 2G (default: 512Mi)"),
      bytes<&T::memory_bytes>("memory", "What the training may take in all, for which steps compute values again: 500M, 1.5G"),
      flag<&T::tensorboard>("tensorboard", "Write event files for TensorBoard into DIR/tensorboard"),
      flag<&T::report, false>("no-report", "Write no report.html"),
      flag<&T::fingerprints, false>("no-fingerprints",
                                    "Leave no hashes of the pictures in the model: evaluate cannot tell then which it knows"),
  };
}

const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    std::vector<Row> result;
    for (const auto& group : {recipe_rows(), optimization_rows(), loss_rows(), picture_rows(), split_rows(), output_rows()})
      result.insert(result.end(), group.begin(), group.end());
    return result;
  }();
  return all;
}

}  // namespace

const std::vector<TrainSetting>& train_settings() {
  static const std::vector<TrainSetting> all = [] {
    std::vector<TrainSetting> result;
    for (const Row& row : rows()) result.push_back(row.setting);
    return result;
  }();
  return all;
}

TrainOptions train_options(const std::map<std::string, std::string>& values) {
  std::vector<std::string> names;
  for (const Row& row : rows()) names.push_back(row.setting.name);
  for (const auto& [name, value] : values)
    if (std::ranges::find(names, name) == names.end())
      fail(ErrorKind::usage, "a training has no setting {}; near it: {}", name, nearest(name, names));
  TrainOptions options;
  for (const auto& [setting, set] : rows()) {
    const auto given = values.find(setting.name);
    if (given == values.end()) continue;
    if (!setting.choices.empty() && std::ranges::find(setting.choices, given->second) == setting.choices.end())
      refuse(setting, given->second, fmt::format("one of {}", fmt::join(setting.choices, ", ")));
    set(options, setting, given->second);
  }
  if (!options.augment && !options.augmentation.empty())
    fail(ErrorKind::usage, "--no-augment and --augment {} contradict each other", options.augmentation);
  if (options.validation + options.test >= 1)
    fail(ErrorKind::usage, "--validation {} and --test {} leave no picture to train on", options.validation, options.test);
  return options;
}

}  // namespace fovea
