// Stochastic depth (Huang et al. 2016, arXiv:1603.09382) for a network whatever its text says of it.
//
// before: %2 = add(%branch, %x)      after: %1 = dropout(%branch) probability=P per_sample=true; %2 = add(%1, %x)
// where both operands depend on the image and have one shape; %branch is the operand with the longer way behind it. P is 0 for the first
// block and rises linearly to `last` at the last one; an attention branch and the one after it are one block. What the text has already
// gets the new probability.
#pragma once

#include "ir/graph.h"

namespace fovea::passes {

// Takes a graph that no mode was lowered into yet. Throws Error(usage) where there is no residual block.
Graph set_drop_paths(const Graph& graph, ValueId image, double last);

}  // namespace fovea::passes
