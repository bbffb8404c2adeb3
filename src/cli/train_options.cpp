#include "cli/train_options.h"

#include <fmt/core.h>

namespace fovea::cli {
namespace {

void add(Command& command, TrainingOptions& options, const TrainSetting& setting) {
  const std::string option = "--" + setting.name;
  if (setting.type.empty()) return command.flag(option, options.switches[setting.name], setting.help);
  Argument argument = command.option(option, options.values[setting.name], setting.help);
  if (!setting.choices.empty()) argument.one_of(setting.choices);
  argument.type(setting.type);
  if (setting.ranged) argument.in_range();
  if (setting.name == "seed") argument.seed();
  if (setting.size && setting.name != "memory") argument.bytes();
  if (setting.name == "hidden") argument.needs("--head");
  if (!setting.usual.empty()) argument.shows_default(setting.usual);
}

std::string title_of(std::string group) {
  group[0] = static_cast<char>(group[0] - 'a' + 'A');
  return group;
}

}  // namespace

void add_changes(Command& command, TrainingOptions& options) {
  for (const TrainSetting& setting : train_settings())
    if (setting.changes_pictures) add(command, options, setting);
}

void add_training(Command& command, TrainingOptions& options) {
  std::string group;
  for (const TrainSetting& setting : train_settings()) {
    if (setting.group != group) {
      group = setting.group;
      command.group(title_of(group));
      if (group == "views") {
        add_preprocessing(
            command, options.preprocessing,
            "squash, and of a probe with few pictures squash+pad where cross validation prefers it; auto: what it prefers of all",
            "auto|crop|pad|squash|squash+pad");
        add_decode(command, options.preprocessing);
      }
    }
    add(command, options, setting);
  }
}

TrainOptions train_options(const TrainingOptions& options) {
  std::map<std::string, std::string> values;
  for (const auto& [name, text] : options.values)
    if (!text.empty()) values[name] = name == "memory" ? std::to_string(parse_bytes(text)) : text;
  for (const auto& [name, on] : options.switches)
    if (on) values[name] = "yes";
  TrainOptions train = fovea::train_options(values);
  train.views.keep_size = !options.preprocessing.size.empty();
  train.views.fit_by_validation = options.preprocessing.fit == "auto";
  if (!options.preprocessing.fit.empty() && !train.views.fit_by_validation) {
    const std::vector<Fit> fits = parse_fits(options.preprocessing.fit);
    train.views.fit = fits.front();
    if (fits.size() > 1) train.views.second_fit = fits.back();
  }
  if (!options.preprocessing.alpha.empty()) train.views.alpha = parse_alpha(options.preprocessing.alpha);
  if (!options.preprocessing.decode.empty()) train.views.decode = parse_decode(options.preprocessing.decode);
  if (!options.preprocessing.range.empty()) train.views.range = parse_range(options.preprocessing.range);
  if (options.preprocessing.page > 0) train.views.page = options.preprocessing.page;
  return train;
}

}  // namespace fovea::cli
