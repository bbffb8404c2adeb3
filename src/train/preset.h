// Rules for fine-tuning that others have published, as options and numbers of the recipe `full`.
#pragma once

#include <string>

#include "engine/network.h"
#include "train/data.h"
#include "train/recipes.h"
#include "train/step_runner.h"

namespace fovea::training {

// The options with what their preset says of everything that they leave open. Throws Error(usage) for a choice that contradicts it.
TrainOptions with_preset(TrainOptions options, const Facts& facts);
// What a preset counts in steps: the length, and the warm-up. And what it shows of pictures.
void apply_preset(Plan& plan, const TrainOptions& options, const Facts& facts);

// BiT-HyperRule's: pictures are squashed to the first, random parts of the second train; answers are to the whole, squashed to the second.
struct Resolution {
  int64_t resized = 0, size = 0;
};
Resolution bit_resolution(double median_area);

// The median area in pixels of the pictures that may train; 0 where nobody has looked at them.
double median_area(const Data& data);

// What the network gets under the options' preset, and why, in a line; without one the preprocessing as it is and an empty line. A network
// that cannot take the size keeps its own.
struct Prepared {
  Preprocessing preprocessing;
  std::string reason;
};
Prepared prepare(const Preprocessing& preprocessing, const engine::Network& network, const TrainOptions& options, double median_area);

}  // namespace fovea::training
