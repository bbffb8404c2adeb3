// What to freeze, and what that saves.
#pragma once

#include <set>
#include <string>

#include "engine/network.h"
#include "ir/device_traits.h"

namespace fovea::training {

struct FreezeChoice {
  std::string freeze;  // "none", "all" or a tap
  std::string reason;
};

// Goes by the training pictures a class: few pictures can fit few parameters, and early layers serve other pictures as they are (Yosinski
// et al. 2014, arXiv:1411.1792). Below 10: all but the head; below 30, 100 and 300: up to the deepest tap that has at most 85, 50 and 25 %
// of the forward multiply-adds below it; from there on: none.
FreezeChoice choose_freeze(const engine::Network& network, int64_t pictures, int64_t classes);

// Counted on the graphs, for one picture where nothing else is said.
struct StepWork {
  int64_t forward = 0, backward = 0;  // multiply-adds
  size_t saved_bytes = 0;             // activations that the forward pass keeps for the backward pass
  size_t arena_bytes = 0;             // planned values of a step of the whole batch; weights and workspace not counted
};

struct FreezeSavings {
  int64_t parameters = 0, frozen_parameters = 0, batch = 0;
  StepWork full, frozen;
  int64_t prefix = 0;  // multiply-adds of the frozen part alone: what keeping its outputs saves from the second epoch on
  // The share of a full step's time that is left, by multiply-adds.
  double share() const;
  double share_with_features_kept() const;
};

FreezeSavings freeze_savings(const engine::Network& network, const std::set<std::string>& frozen, int64_t batch,
                             const DeviceTraits& device);
std::string to_string(const FreezeSavings& savings);

}  // namespace fovea::training
