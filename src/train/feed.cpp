#include "train/feed.h"

#include "train/groups.h"

namespace fovea::training {

StepOptions step_options(const Parts& parts, const Phase& phase, const ModelGraph& model, const std::set<std::string>& frozen) {
  StepOptions options;
  options.optimizer = phase.optimizer;
  options.loss = phase.loss;
  options.frozen = frozen;
  options.parameter = parameter_groups(model, parts.network->variant().head, phase.lowest_rate);
  return options;
}

}  // namespace fovea::training
