// Which parameters decay, and how fast each may move.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "train/step.h"

namespace fovea::training {

// By parameter: the number of taps that lie fully below it, so 0 up to the first tap; the head is one past the last.
std::map<std::string, int64_t> parameter_depths(const ModelGraph& model, const std::string& head);

// Norms and biases, whose stored rank is 1, do not decay. Rates fall geometrically from 1 at the head to `lowest_rate` below the first tap
// (discriminative rates, Howard and Ruder 2018, arXiv:1801.06146).
std::function<ParameterOptions(const State&)> parameter_groups(const ModelGraph& model, const std::string& head, double lowest_rate);

}  // namespace fovea::training
