// Rules for fine-tuning that others have published, as options and numbers of the recipe `full`.
#pragma once

#include "train/recipes.h"
#include "train/step_runner.h"

namespace fovea::training {

// The options with what their preset says of everything that they leave open. Throws Error(usage) for a choice that contradicts it.
TrainOptions with_preset(TrainOptions options, const Facts& facts);
// What a preset counts in steps: the length, and the warm-up.
void apply_preset(Plan& plan, const TrainOptions& options, const Facts& facts);

}  // namespace fovea::training
