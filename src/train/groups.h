// Which parameters decay, and how fast each may move.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "models/registry.h"
#include "train/step.h"

namespace fovea::training {

// Gives for each parameter how many taps lie fully below it, so 0 up to the first tap; the head is one past the last.
std::map<std::string, int64_t> parameter_depths(const ModelGraph& model, const models::Variant& variant);

// Rates fall geometrically from 1 at the head: to `lowest` below the first tap (discriminative rates, Howard and Ruder 2018,
// arXiv:1801.06146), or, where it is not 0, by `layer_decay` from each group to the one below it (Clark et al. 2020, arXiv:2003.10555;
// timm's layer_decay, with the groups between taps for its layers).
struct RateFall {
  double lowest = 1, layer_decay = 0;
};

// Norms and biases, whose stored rank is 1, do not decay.
std::function<ParameterOptions(const State&)> parameter_groups(const ModelGraph& model, const models::Variant& variant, RateFall fall);

}  // namespace fovea::training
