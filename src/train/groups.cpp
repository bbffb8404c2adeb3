#include "train/groups.h"

#include <cmath>

namespace fovea::training {

std::map<std::string, int64_t> parameter_depths(const ModelGraph& model, const models::Variant& variant) {
  std::map<std::string, int64_t> depths;
  const auto taps = static_cast<int64_t>(model.taps.size());
  for (int64_t t = 0; t < taps; ++t)
    for (const std::string& name : states_below(model.graph, model.taps[static_cast<size_t>(t)].value)) depths.emplace(name, t);
  for (const State& state : model.graph.states())
    depths.emplace(state.name, models::in_head(variant, state.name) ? taps + 1 : taps);  // what no tap covers ends the body
  return depths;
}

std::function<ParameterOptions(const State&)> parameter_groups(const ModelGraph& model, const models::Variant& variant, RateFall fall) {
  const double last = static_cast<double>(model.taps.size()) + 1;
  return [depths = parameter_depths(model, variant), last, fall](const State& state) {
    const double below_head = last - static_cast<double>(depths.at(state.name));
    const double rate = fall.layer_decay > 0 ? std::pow(fall.layer_decay, below_head) : std::pow(fall.lowest, below_head / last);
    return ParameterOptions{rate, state.stored_shape.size() > 1 ? 1.0 : 0.0};
  };
}

}  // namespace fovea::training
