#pragma once

#include "ir/graph.h"

namespace fovea::passes {

// A lowered graph, before autodiff, that holds its maps in a narrower type: inputs of rank 4 are cast to it at once and outputs back to
// f32, so nobody outside notices. Parameters, statistics and all sums stay f32 (see Op::infer). f32: the graph as it is.
Graph set_precision(const Graph& graph, DType dtype);

}  // namespace fovea::passes
