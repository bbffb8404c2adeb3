// The passes in their order. The order is written by hand: it has meaning.
#pragma once

#include "ir/graph.h"
#include "passes/recompute.h"

namespace fovea::passes {

struct PipelineOptions {
  bool fuse = true;  // false: every operation stays plain and runs once, for comparison
  RecomputeOptions recompute = {};
};

// Takes a lowered graph, after autodiff, through kSteps (pipeline.cpp) and recompute. `verify` runs after each in debug builds and where
// FOVEA_VERIFY is set.
Graph optimize(Graph graph, const PipelineOptions& options = {});

}  // namespace fovea::passes
