#include <fovea/train_settings.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <string_view>
#include <type_traits>

#include "base/error.h"
#include "base/nearest.h"
#include "train/option_names.h"
#include "weights/model_file.h"

namespace fovea {
namespace {

using training::kAnswers, training::kAugments, training::kCaches, training::kLosses, training::kOptimizers, training::kPresets,
    training::kRecipes, training::kSchedules;

struct Row {
  TrainSetting setting;
  std::function<void(TrainOptions& options, const TrainSetting& setting, const std::string& text)> set;
};

using T = TrainOptions;

[[noreturn]] void refuse(const TrainSetting& setting, const std::string& text, const std::string& expected) {
  fail(ErrorKind::usage, "{} {}: {} expected", setting.name, text.empty() ? "\"\"" : text, expected);
}

template <class V>
void parse(V& target, const TrainSetting& setting, const std::string& text) {
  V value{};
  const char* const begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  const bool whole = std::is_integral_v<V>;
  const bool number = error == std::errc() && end == text.data() + text.size();
  if (!number || (setting.ranged && !option_range(setting.name).contains(static_cast<double>(value))))
    refuse(setting, text,
           setting.ranged ? option_range(setting.name).words()
           : whole        ? fmt::format("a whole number from 0 to {}", std::numeric_limits<V>::max())
                          : "a number");
  target = value;
}

template <class V>
void parse(std::optional<V>& target, const TrainSetting& setting, const std::string& text) {
  parse(target.emplace(), setting, text);
}

// Rows by what they set, which `field` finds in the options. The usual value is told where it is not left to the recipe.
template <class V>
std::string usual(const V& value) {
  return fmt::format("{}", value);
}
template <class V>
std::string usual(const std::optional<V>&) {
  return {};
}

template <class Field>
Row number(const char* name, const char* type, const char* help, Field field, bool shown = true) {
  Row row{{name, type, help},
          [field](T& options, const TrainSetting& setting, const std::string& text) { parse(field(options), setting, text); }};
  row.setting.ranged = true;
  T options;
  if (shown) row.setting.usual = usual(field(options));
  return row;
}

template <class Field>
Row bytes(const char* name, const char* help, Field field) {
  Row row = number(name, "SIZE", help, field, false);
  row.setting.ranged = false;
  row.setting.size = true;
  return row;
}

template <class Field>
Row text(const char* name, const char* type, const char* help, Field field) {
  return {{name, type, help}, [field](T& options, const TrainSetting&, const std::string& value) { field(options) = value; }};
}

template <class Field>
Row flag(const char* name, const char* help, Field field, bool on = true) {
  return {{name, "", help}, [field, on](T& options, const TrainSetting&, const std::string&) { field(options) = on; }};
}

template <class V, size_t n, class Field>
Row choice(const char* name, const char* help, const Named<V> (&table)[n], Field field, const char* usual = "") {
  Row row{{name, "", help, usual}, [&table, field](T& options, const TrainSetting&, const std::string& value) {
            if (const auto named = value_of(table, value)) field(options) = *named;
          }};
  for (const Named<V>& one : table) row.setting.choices.emplace_back(one.name);
  row.setting.type = names_of(table, "|");
  return row;
}

Row head() {
  const auto kind = [](T& options) -> HeadKind& { return options.head.emplace().kind; };
  return choice("head",
                "The new head: linear, mlp (a hidden layer) or concat_pool (mean and maximum of the last map, a hidden layer, batch norm); "
                "default: what the model has",
                weights::kHeadKinds, kind);
}

Row hidden() {
  Row row{{"hidden", "N", "Width of the hidden layer of mlp and concat_pool", fmt::format("{}", HeadOptions{}.hidden)},
          [](T& options, const TrainSetting& setting, const std::string& value) {
            if (!options.head) refuse(setting, value, "a head that has one, mlp or concat_pool,");
            parse(options.head->hidden, setting, value);
            if (options.head->kind == HeadKind::linear && options.head->hidden != HeadOptions{}.hidden)
              fail(ErrorKind::usage, "--hidden {} is of the heads mlp and concat_pool, --head linear was asked for", options.head->hidden);
          }};
  row.setting.ranged = true;
  return row;
}

Row seed() {
  return {{"seed", "N", "Decides the split and the training; the same one gives the same bits", "0"},
          [](T& options, const TrainSetting& setting, const std::string& value) { parse(options.run.seed, setting, value); }};
}

Row no_augment() {
  return {{"no-augment", "", "Show the pictures as they are, without random crops, flips and colours: --augment off"},
          [](T& options, const TrainSetting&, const std::string&) {
            if (const auto policy = options.augmentation.policy; policy && *policy != Augment::off)
              fail(ErrorKind::usage, "--no-augment and --augment {} contradict each other", name_of(kAugments, *policy));
            options.augmentation.policy = Augment::off;
          }};
}

// Where in TrainOptions, as a function.
#define FOVEA_FIELD(PLACE) \
  [](T & options) -> auto& { return options.PLACE; }

std::vector<Row> recipe_rows() {
  return {
      choice("recipe", "How to train", kRecipes, FOVEA_FIELD(recipe), "auto"),
      choice("preset",
             "bit: steps, rates, schedule, size of the pictures and crops of BiT's rule for fine-tuning (BiT-HyperRule); --size is used "
             "where it is given",
             kPresets, FOVEA_FIELD(preset)),
      text("freeze", "none|all|auto|TAP|PATTERN",
           "Leave a part as it is: everything up to and including a tap, a layer or parameters by a pattern of their names "
           "(\"layer1.*,*.bn*\"), all but the head, or what the pictures of a class suggest (default: the recipe's)",
           FOVEA_FIELD(freeze)),
      head(),
      hidden(),
  };
}

std::vector<Row> data_rows() {
  return {
      number("validation", "F", "Share of the pictures to choose the best epoch by", FOVEA_FIELD(data.validation)),
      number("test", "F", "Share of the pictures to look at only at the end", FOVEA_FIELD(data.test)),
      number("folds", "K", "Cross validation: K runs, each tested on the pictures that it did not see, then one on all",
             FOVEA_FIELD(data.folds), false),
      number("seeds", "N", "Everything N times, with the seeds from --seed on", FOVEA_FIELD(data.seeds)),
      flag("balanced", "Draw every class equally often", FOVEA_FIELD(data.balanced_sampling)),
      choice("cache", "Where the outputs of a frozen part are kept", kCaches, FOVEA_FIELD(data.feature_cache), "auto"),
      bytes("cache-limit",
            "Memory for them and for what a probe keeps of the pictures, beyond which both go to DIR: 500M, 2G (default: 1Gi)",
            FOVEA_FIELD(data.feature_cache_bytes)),
      bytes("picture-cache", "Memory for decoded pictures, so that only the first epoch decodes them: 0, 500M, 2G (default: 512Mi)",
            FOVEA_FIELD(data.picture_cache_bytes)),
  };
}

std::vector<Row> optimizer_rows() {
  return {
      number("epochs", "N", "Passes over the pictures (default: the recipe's)", FOVEA_FIELD(optimizer.epochs)),
      number("batch", "N", "Pictures a step (default: the recipe's)", FOVEA_FIELD(optimizer.batch_size)),
      number("accumulate", "N", "Batches whose gradients make one step", FOVEA_FIELD(optimizer.grad_accum_steps)),
      choice("optimizer", "Default: the recipe's", kOptimizers, FOVEA_FIELD(optimizer.kind)),
      number("lr", "RATE", "Highest rate (default: the recipe's)", FOVEA_FIELD(optimizer.lr)),
      choice("schedule", "How the rate goes over the steps (default: cosine)", kSchedules, FOVEA_FIELD(optimizer.schedule)),
      number("warmup", "SHARE", "Share of the steps over which the rate rises (default: 0.1, of one_cycle 0.3)",
             FOVEA_FIELD(optimizer.warmup)),
      number("momentum", "M", "Of sgd, nesterov and rmsprop", FOVEA_FIELD(optimizer.momentum)),
      number("weight-decay", "D", "Not of norms and biases (default: the recipe's)", FOVEA_FIELD(optimizer.weight_decay)),
      number("layer-decay", "F", "Rate of a group of layers, of the one above it (default: the recipe's)",
             FOVEA_FIELD(optimizer.layer_decay)),
      number("clip", "NORM", "Longest gradient, all parameters together (default: not clipped)", FOVEA_FIELD(optimizer.clip_grad)),
      number("ema", "DECAY", "Average the weights with this decay; the average is validated and saved", FOVEA_FIELD(optimizer.ema_decay)),
      number("patience", "N", "End a phase after N epochs without a better validation (default: never)", FOVEA_FIELD(optimizer.patience)),
  };
}

std::vector<Row> augmentation_rows() {
  std::vector<Row> rows{
      choice("augment", "light (flips), standard (crops, flips, colors), or a policy of torchvision's (default: the recipe's)", kAugments,
             FOVEA_FIELD(augmentation.policy)),
      no_augment(),
      number("vertical-flip", "P", "Probability of turning the picture upside down", FOVEA_FIELD(augmentation.vertical_flip), false),
      number("erasing", "P", "Probability that a random rectangle is erased", FOVEA_FIELD(augmentation.random_erasing), false),
      number("mixup", "A", "Alpha of mixup (default: none)", FOVEA_FIELD(augmentation.mixup), false),
      number("cutmix", "A", "Alpha of cutmix (default: none)", FOVEA_FIELD(augmentation.cutmix), false),
  };
  for (Row& row : rows) row.setting.changes_pictures = true;
  rows.push_back(number("stored-views", "N", "Augmented views of a picture that the feature cache keeps",
                        FOVEA_FIELD(augmentation.stored_views), false));
  return rows;
}

std::vector<Row> regularization_rows() {
  return {
      choice("loss", "Default: cross_entropy, or binary where pictures have several labels", kLosses, FOVEA_FIELD(regularization.loss)),
      number("focal-gamma", "G", "Of the focal loss", FOVEA_FIELD(regularization.focal_gamma)),
      flag("class-weights", "Let pictures of rare classes count more in the loss", FOVEA_FIELD(regularization.class_weights)),
      number("label-smoothing", "E", "Default: the recipe's", FOVEA_FIELD(regularization.label_smoothing)),
      number("dropout", "P", "Before the classifier (default: the network's)", FOVEA_FIELD(regularization.dropout)),
      number("stochastic-depth", "P", "Of the last block, falling to 0 at the first (default: the network's)",
             FOVEA_FIELD(regularization.stochastic_depth)),
  };
}

std::vector<Row> view_rows() {
  return {choice("tta", "Average the mirrored picture's answer in; auto: where cross validation says so", kAnswers,
                 FOVEA_FIELD(views.mirrored), "auto")};
}

std::vector<Row> run_rows() {
  return {
      seed(),
      bytes("memory", "What the training may take in all, for which steps compute values again: 500M, 1.5G", FOVEA_FIELD(run.memory_bytes)),
      text("out", "DIR", "The run's folder (default: run, or run-2 and so on where there is one)", FOVEA_FIELD(run.out)),
      flag("overwrite", "Replace the run in DIR, once this one is finished", FOVEA_FIELD(run.overwrite)),
      flag("resume",
           "Go on with the run in DIR where it stopped, to the same bits as without the interruption; --resume DIR alone takes the run's "
           "own options",
           FOVEA_FIELD(run.resume)),
      number("checkpoint-every", "SECONDS", "Save within epochs, too: a kill loses at most so many seconds",
             FOVEA_FIELD(run.checkpoint_seconds)),
      flag("tensorboard", "Write event files for TensorBoard into DIR/tensorboard", FOVEA_FIELD(run.tensorboard)),
      flag("no-report", "Write no report.html", FOVEA_FIELD(run.report), false),
      flag("no-fingerprints", "Leave no hashes of the pictures in the model: evaluate cannot tell then which it knows",
           FOVEA_FIELD(run.fingerprints), false),
  };
}

#undef FOVEA_FIELD

const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    std::vector<Row> result;
    const auto add = [&](const char* group, std::vector<Row> rows) {
      for (Row& row : rows) {
        row.setting.group = group;
        result.push_back(std::move(row));
      }
    };
    add("recipe", recipe_rows());
    add("data", data_rows());
    add("optimizer", optimizer_rows());
    add("augmentation", augmentation_rows());
    add("regularization", regularization_rows());
    add("views", view_rows());
    add("run", run_rows());
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
  if (options.data.validation + options.data.test >= 1)
    fail(ErrorKind::usage, "--validation {} and --test {} leave no picture to train on", options.data.validation, options.data.test);
  return options;
}

}  // namespace fovea
