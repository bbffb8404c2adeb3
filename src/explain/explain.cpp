#include "explain/explain.h"

namespace fovea::explain {

Subject::Subject(const ModelGraph& model_graph, const models::Variant& model_variant)
    : model(model_graph),
      graph(model_graph.graph),
      variant(model_variant),
      convolutions(explain::convolutions(graph)),
      readers(readers_of(graph)),
      from_image(depends_on(graph, model_graph.image)) {
  const Shape& image = graph.type(model.image).shape;
  height = image.height();
  width = image.width();
  for (const State& state : graph.states())
    if (state.role == StateRole::parameter) parameters += graph.type(state.value).elements();
  for (uint32_t n = 0; n < graph.node_count(); ++n) multiply_adds += multiply_adds_of(graph, NodeId{n});
}

std::vector<Explanation> explain(const Subject& subject) {
  std::vector<Explanation> result;
  for (const auto topic : {patches, stacked_kernels, fully_connected, depthwise_separable, large_kernels, response_norm, dense_blocks,
                           concatenation, shortcuts, compound_scaling}) {
    if (auto explanation = topic(subject)) result.push_back(std::move(*explanation));
  }
  return result;
}

}  // namespace fovea::explain
