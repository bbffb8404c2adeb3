// Options that were given and that nothing of a plan looks at.
#pragma once

#include <string>
#include <vector>

#include "train/recipes.h"

namespace fovea::training {

// A sentence for each, naming the option, its value and the plan's recipe.
std::vector<std::string> unused_options(const TrainOptions& options, const Plan& plan);

// What means nothing whatever the recipe, without another option. Throws Error(usage).
void check_options_together(const TrainOptions& options);

}  // namespace fovea::training
