// What follows from weights alone, computed before the network leaves.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "engine/state_store.h"
#include "export/translation.h"

namespace fovea::onnx {

// Gives a constant for each state and for each value that nodes make of constants alone. What is repeated for each picture is none.
std::vector<Constant> compute_constants(const Graph& graph, const std::shared_ptr<engine::StateStore>& weights,
                                        const backend::Backend& backend);

}  // namespace fovea::onnx
