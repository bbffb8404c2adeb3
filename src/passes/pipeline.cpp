#include "passes/pipeline.h"

#include <cstdlib>

#include "base/log.h"
#include "passes/apply_batch_norm.h"
#include "passes/drop_dead.h"
#include "passes/fold_batch_norm.h"
#include "passes/fold_channel_scale.h"
#include "passes/fuse_batch_norm.h"
#include "passes/fuse_epilogue.h"
#include "passes/fuse_linear_updates.h"
#include "passes/place_updates.h"
#include "passes/recompute.h"

namespace fovea::passes {
namespace {

bool verify_requested() {
#ifdef NDEBUG
  static const bool requested = std::getenv("FOVEA_VERIFY") != nullptr;
  return requested;
#else
  return true;
#endif
}

struct PipelineStep {
  const char* name;
  Graph (*pass)(const Graph&);
  bool fusion;
};

constexpr PipelineStep kSteps[] = {
    {"drop_dead", drop_dead, false},
    {"fold_batch_norm", fold_batch_norm, true},
    {"fold_channel_scale", fold_channel_scale, true},
    {"fuse_conv_epilogue", fuse_conv_epilogue, true},
    {"fuse_batch_norm", fuse_batch_norm, true},
    {"apply_batch_norm", apply_batch_norm, true},
    {"drop_dead", drop_dead, false},
    {"fuse_linear_updates", fuse_linear_updates, true},
    {"place_updates", place_updates, false},
};

}  // namespace

Graph optimize(Graph graph, const PipelineOptions& options) {
  for (const PipelineStep& step : kSteps) {
    if (step.fusion && !options.fuse) continue;
    const size_t before = graph.node_count();
    graph = step.pass(graph);
    log("passes", "{}: {} nodes, {} before", step.name, graph.node_count(), before);
    if (verify_requested()) verify(graph);
  }
  if (options.fuse) {
    graph = recompute(graph, options.recompute);
    if (verify_requested()) verify(graph);
  }
  return graph;
}

}  // namespace fovea::passes
