#include "passes/set_precision.h"

#include "ops/cast.h"
#include "passes/rewrite.h"

namespace fovea::passes {

Graph set_precision(const Graph& graph, DType dtype) {
  if (dtype == DType::f32) return graph;
  Rewrite rewrite(graph);
  Graph& target = rewrite.target();
  for (const NamedValue& input : graph.inputs()) {
    const Type& type = graph.type(input.value);
    if (type.dtype != DType::f32 || type.shape.rank() != Shape::max_rank) continue;
    rewrite.set(input.value, target.add(Cast{dtype}, {rewrite.map(input.value)}, input.name)[0]);
  }
  for (uint32_t n = 0; n < graph.node_count(); ++n) rewrite.copy(NodeId{n});
  for (const NamedValue& output : graph.outputs()) {
    const ValueId value = rewrite.map(output.value);
    if (target.type(value).dtype == dtype) rewrite.set(output.value, target.add(Cast{DType::f32}, {value}, output.name)[0]);
  }
  return rewrite.finish();
}

}  // namespace fovea::passes
