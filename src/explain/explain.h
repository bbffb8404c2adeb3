// The formulas of the study of vision encoders, worked out for one network: found in its graph, not in its name, so that they hold for
// every variant and size.
#pragma once

#include <fovea/inspect.h>

#include <optional>
#include <vector>

#include "explain/structure.h"
#include "models/registry.h"

namespace fovea::explain {

// A network's graph for one picture, as its text has it, and what several explanations ask of it.
struct Subject {
  Subject(const ModelGraph& model, const models::Variant& variant);

  const ModelGraph& model;
  const Graph& graph;
  const models::Variant& variant;
  std::vector<Convolution> convolutions;
  std::vector<std::vector<NodeId>> readers;  // by value
  std::vector<bool> from_image;              // by value
  int64_t height = 0, width = 0;
  int64_t parameters = 0, multiply_adds = 0;
};

// All that apply, in the order of a network's parts.
std::vector<Explanation> explain(const Subject& subject);

// Each gives nothing where the network has nothing of the kind.
std::optional<Explanation> patches(const Subject& subject);              // (H/P)(W/P), and what attention between them costs
std::optional<Explanation> stacked_kernels(const Subject& subject);      // n 3x3 convolutions against one of 2 n + 1
std::optional<Explanation> fully_connected(const Subject& subject);      // the share of the layers after the last map
std::optional<Explanation> depthwise_separable(const Subject& subject);  // 1/N + 1/K^2
std::optional<Explanation> large_kernels(const Subject& subject);        // depthwise K x K against 3 x 3
std::optional<Explanation> response_norm(const Subject& subject);        // global response normalization
std::optional<Explanation> dense_blocks(const Subject& subject);         // C + L k, and transitions
std::optional<Explanation> concatenation(const Subject& subject);        // memory of concatenation against addition
std::optional<Explanation> shortcuts(const Subject& subject);            // identity and projection
std::optional<Explanation> compound_scaling(const Subject& subject);     // alpha^phi, beta^phi, gamma^phi

}  // namespace fovea::explain
