// Evaluations as JSON, in reports and checkpoints.
#pragma once

#include <fovea/train.h>

#include <nlohmann/json.hpp>

namespace fovea::training {

nlohmann::json score_json(const Score& score);
Score score_of(const nlohmann::json& text);  // throws nlohmann's exceptions
nlohmann::json evaluation_json(const Evaluation& evaluation);
Evaluation evaluation_of(const nlohmann::json& text);  // throws nlohmann's exceptions

}  // namespace fovea::training
