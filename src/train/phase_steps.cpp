#include "train/phase_steps.h"

#include <cmath>

#include "base/error.h"
#include "base/hash.h"

namespace fovea::training {

Schedule schedule_of(const Phase& phase, const Batches& batches) {
  const int64_t all = batches.updates() * phase.epochs;
  return {phase.schedule, phase.rate, static_cast<int64_t>(std::lround(phase.warmup * static_cast<double>(all))), all, phase.rate_of_step};
}

uint64_t phase_seed(uint64_t seed, int64_t phase) { return mix64(seed + mix64(static_cast<uint64_t>(phase) + 1)); }

void check_blocks(const engine::Network& network, const Plan& plan) {
  for (const Phase& phase : plan.phases)
    if (phase.stochastic_depth >= 0)
      in_context(fmt::format("{} (family {})", network.variant().name, network.variant().family),
                 [&] { lower_for_training(network.build(1), {}, phase.stochastic_depth); });
}

StepResult take_step(StepRunner& runner, StepInput& input, const Phase& phase, const Batches& batches, const StepPlace& place) {
  input.step = place.epoch * batches.count() + place.number;
  input.group = batches.group(place.epoch, place.number);
  input.rate = rate_at(schedule_of(phase, batches), input.group.update) * place.rate_factor;
  const StepResult result = runner.run(input);
  if (phase.ema > 0 && input.group.last) runner.average(average_decay(phase.ema, input.group.update));
  return result;
}

}  // namespace fovea::training
