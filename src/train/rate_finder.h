// The range test of rates: Smith 2015, arXiv:1506.01186, section 3.3, as fastai's lr_find does it.
#pragma once

#include <fovea/train.h>

#include "engine/memory_account.h"
#include "train/step_memory.h"

namespace fovea::training {

// Trains `parts.network`, which is spoilt by it, at rates that grow from step to step; ends where the smoothed loss is no number or four
// times its lowest. `held`: beside what the steps take. `on_step` false: stops.
using OnTrial = std::function<bool(int64_t done, int64_t all, double loss)>;
RateCurve search_rates(const Parts& parts, const Phase& phase, std::span<const float> class_weights, uint64_t seed,
                       const RateSearch& search, const Held& held, engine::MemoryAccount& memory, const OnTrial& on_step);

// Where the smoothed loss falls fastest over the logarithm of the rate, before its lowest point; 0: it nowhere falls. The rates grow
// geometrically.
double suggest_rate(std::span<const RateTrial> trials);

}  // namespace fovea::training
