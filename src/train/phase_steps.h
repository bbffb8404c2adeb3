// What a step of a phase is beside its batch, for the trainer of a run and for one who steps by hand.
#pragma once

#include "engine/network.h"
#include "train/recipes.h"
#include "train/schedule.h"
#include "train/step_runner.h"

namespace fovea::training {

Schedule schedule_of(const Phase& phase, const Batches& batches);
// The seed of all that is random in the phase of this number.
uint64_t phase_seed(uint64_t seed, int64_t phase);
// A network without residual blocks has no use for stochastic depth, and says so before anything is computed.
void check_blocks(const engine::Network& network, const Plan& plan);

struct StepPlace {
  int64_t epoch = 0, number = 0;  // of the batch in its epoch
  double rate_factor = 1;         // of the schedule's rate
};
// Runs the step of a batch at its place, whose rate and group go into `input`, and averages the weights after it where the phase does.
StepResult take_step(StepRunner& runner, StepInput& input, const Phase& phase, const Batches& batches, const StepPlace& place);

}  // namespace fovea::training
