// The phase in which a linear head is solved for: features of the pictures, the choice, the head put into the network.
#pragma once

#include <optional>

#include "train/feed.h"
#include "train/probe.h"

namespace fovea::training {

struct SolvedHead {
  ProbeChoice choice;
  Evaluation training;                   // without outcomes
  std::optional<Evaluation> validation;  // empty where there are none, or they trained too
  int64_t pictures = 0, steps = 0;       // trained on; of L-BFGS
  double seconds = 0;                    // without the features
};

// `chosen`: by an earlier phase; empty: chosen here. The network's preprocessing gets the fit and the mirror image that were chosen.
// Nothing where `on_batch` stopped.
std::optional<SolvedHead> solve_head(const Parts& parts, const Phase& phase, FeatureStore& features,
                                     const std::optional<ProbeChoice>& chosen, uint64_t seed, const OnBatch& on_batch);

// What an earlier phase chose, for the pictures to come.
void apply(const ProbeChoice& choice, engine::Network& network);

}  // namespace fovea::training
