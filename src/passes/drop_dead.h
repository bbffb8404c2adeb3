// Leaves out nodes that neither an output nor a next state needs, and states that nothing reads or writes any more.
#pragma once

#include "ir/graph.h"

namespace fovea::passes {

Graph drop_dead(const Graph& graph);

// The part of a graph that the outputs named need; other outputs and all next states are left out.
Graph keep_outputs(const Graph& graph, std::span<const std::string> outputs);

}  // namespace fovea::passes
