#include "train/unused_options.h"

#include <algorithm>

#include "base/error.h"

namespace fovea::training {
namespace {

template <class Test>
bool any(const Plan& plan, Test&& test) {
  return std::ranges::any_of(plan.phases, test);
}

bool takes_steps(const Phase& phase) { return !phase.solved; }
bool trains_the_backbone(const Phase& phase) { return !phase.on_features && phase.freeze != "all"; }
bool keeps_part_of_the_network(const Phase& phase) { return !phase.on_features && phase.freeze != "none"; }
bool keeps_views(const Phase& phase) { return keeps_part_of_the_network(phase) && phase.augmentation && !phase.mixing.any(); }

template <class T>
std::string with_value(const char* name, const T& value) {
  return fmt::format("{} {}", name, value);
}

// The options about steps that were given.
std::vector<std::string> about_steps(const TrainOptions& options) {
  std::vector<std::string> given;
  if (options.optimizer.grad_accum_steps > 1) given.push_back(with_value("accumulate", options.optimizer.grad_accum_steps));
  if (options.optimizer.schedule) given.push_back(with_value("schedule", to_string(*options.optimizer.schedule)));
  if (options.optimizer.warmup) given.push_back(with_value("warm-up", *options.optimizer.warmup));
  if (options.optimizer.clip_grad) given.push_back(with_value("clipping norm", *options.optimizer.clip_grad));
  if (options.optimizer.ema_decay) given.push_back(with_value("decay of averaged weights", *options.optimizer.ema_decay));
  if (options.optimizer.patience) given.push_back(with_value("patience", *options.optimizer.patience));
  if (options.run.memory_bytes > 0)
    given.push_back(fmt::format("memory of {:.0f} MB", static_cast<double>(options.run.memory_bytes) / 1e6));
  if (options.regularization.dropout) given.push_back(with_value("dropout", *options.regularization.dropout));
  return given;
}

std::vector<std::string> about_the_backbone(const TrainOptions& options) {
  std::vector<std::string> given;
  if (options.optimizer.layer_decay) given.push_back(with_value("layer decay", *options.optimizer.layer_decay));
  if (options.regularization.stochastic_depth) given.push_back(with_value("stochastic depth", *options.regularization.stochastic_depth));
  return given;
}

}  // namespace

std::vector<std::string> unused_options(const TrainOptions& options, const Plan& plan) {
  std::vector<std::string> result;
  const auto add = [&](const std::string& option, const std::string& why) {
    result.push_back(fmt::format("{} means nothing to the recipe {} here, {}", option, plan.recipe, why));
  };
  if (!any(plan, takes_steps))
    for (const std::string& option : about_steps(options))
      add(option, "which solves for a linear head and takes no steps (it does where epochs or a rate are given)");
  if (!any(plan, trains_the_backbone))
    for (const std::string& option : about_the_backbone(options)) add(option, "which trains the head alone");
  if (options.augmentation.stored_views > 0 && !any(plan, keeps_views)) {
    const bool frozen = any(plan, keeps_part_of_the_network);
    add(with_value("stored views", options.augmentation.stored_views),
        frozen ? "since pictures that stay as they are, or are mixed, have no views to keep" : "which keeps no outputs of a frozen part");
  }
  if (options.data.feature_cache == FeatureCache::disk && !any(plan, keeps_part_of_the_network))
    add("cache disk", "which keeps no outputs of a frozen part (a probe's features are in memory)");
  return result;
}

void check_options_together(const TrainOptions& options) {
  const TrainOptions usual;
  if (options.regularization.focal_gamma != usual.regularization.focal_gamma && options.regularization.loss != Loss::focal)
    fail(ErrorKind::usage, "a focal gamma of {} is about the loss focal, which was not asked for", options.regularization.focal_gamma);
  const bool has_momentum = options.optimizer.kind.value_or(Optimizer::adamw) != Optimizer::adamw;
  if (options.optimizer.momentum != usual.optimizer.momentum && !has_momentum)
    fail(ErrorKind::usage, "a momentum of {} is of sgd, nesterov and rmsprop, the optimizer is adamw", options.optimizer.momentum);
}

}  // namespace fovea::training
