// What a probe chose, as JSON: in checkpoints and in metrics.json.
#pragma once

#include "base/json_value.h"
#include "train/probe.h"

namespace fovea::training {

nlohmann::json probe_json(const ProbeChoice& choice);
// Throws json::exception, or Error(usage) for an unknown fit.
ProbeChoice probe_of(const nlohmann::json& text);

}  // namespace fovea::training
