// The summary of a network that is there already.
#pragma once

#include <fovea/inspect.h>

#include "engine/network.h"

namespace fovea {

Summary summarize(const engine::Network& network, const SummaryOptions& options);

}  // namespace fovea
