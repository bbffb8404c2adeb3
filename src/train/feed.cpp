#include "train/feed.h"

#include "train/groups.h"

namespace fovea::training {

StepOptions step_options(const Parts& parts, const Phase& phase, const ModelGraph& model, const std::set<std::string>& frozen) {
  StepOptions options;
  options.optimizer = phase.optimizer;
  options.loss = phase.loss;
  options.frozen = frozen;
  options.precision = parts.network->precision();
  options.clip_norm = phase.clip_norm;
  options.parameter = parameter_groups(model, parts.network->variant(), {phase.lowest_rate, phase.layer_decay});
  return options;
}

void append_targets(const image::Sample& sample, int64_t classes, std::vector<float>& targets) {
  const size_t begin = targets.size();
  if (!sample.targets.empty()) return static_cast<void>(targets.insert(targets.end(), sample.targets.begin(), sample.targets.end()));
  targets.resize(begin + static_cast<size_t>(classes), 0.0f);
  for (int32_t label : image::labels_of(sample)) targets[begin + static_cast<size_t>(label)] = 1;
}

}  // namespace fovea::training
