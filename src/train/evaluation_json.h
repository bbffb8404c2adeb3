// Evaluations as JSON, in metrics.json, in checkpoints and for pages.
#pragma once

#include <fovea/train.h>

#include "base/json_value.h"

namespace fovea::training {

nlohmann::json score_json(const Score& score);
Score score_of(const nlohmann::json& text);  // throws nlohmann's exceptions
// Adds what follows from it: intervals of accuracies (Wilson, 95 %), calibration, the worst mistakes. An outcome has the probabilities of
// all classes only where classes are independent.
nlohmann::json evaluation_json(const Evaluation& evaluation);
Evaluation evaluation_of(const nlohmann::json& text);  // throws nlohmann's exceptions

}  // namespace fovea::training
