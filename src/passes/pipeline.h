// The passes in their order. The order is written by hand: it has meaning.
#pragma once

#include "ir/graph.h"
#include "passes/recompute.h"

namespace fovea::passes {

struct PipelineOptions {
  bool fuse = true;  // false: every operation stays plain and runs once, for comparison
  RecomputeOptions recompute = {};
};

// Of a lowered graph, after autodiff: drop_dead, fold_batch_norm, fold_channel_scale, fuse_conv_epilogue, fuse_batch_norm, drop_dead,
// place_updates, recompute. `verify` runs after each in debug builds and where FOVEA_VERIFY is set.
Graph optimize(Graph graph, const PipelineOptions& options = {});

}  // namespace fovea::passes
