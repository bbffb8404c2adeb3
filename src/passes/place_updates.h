// Moves every node that writes a state to the earliest place where it may run: after its inputs are made and after the last other reader of
// what it overwrites. A gradient is then used up as soon as it is final, and its memory is free again.
#pragma once

#include "ir/graph.h"

namespace fovea::passes {

Graph place_updates(const Graph& graph);

}  // namespace fovea::passes
