// What explanations look for in a graph: its convolutions, who reads whom, and the way from one layer to the next.
#pragma once

#include <string>
#include <vector>

#include "nn/model_graph.h"
#include "ops/conv2d.h"

namespace fovea::explain {

// A convolution or linear layer on the way from the image, with the numbers of one picture.
struct Convolution {
  NodeId node;
  std::string name;
  int64_t in = 0, out = 0;  // channels
  int64_t kernel = 1, stride = 1, groups = 1;
  bool padded = false;
  int64_t places = 0;  // of the result: height x width, or tokens
  int64_t weights = 0;
  int64_t multiply_adds = 0;

  bool depthwise() const { return groups > 1 && groups == in && in == out; }
  bool pointwise() const { return kernel == 1 && groups == 1; }
};
// Lists them in the network's order; those with kernels that are not square are left out.
std::vector<Convolution> convolutions(const Graph& graph);

// Lists for each value the nodes that read it.
std::vector<std::vector<NodeId>> readers_of(const Graph& graph);

// Says of each value whether it depends on `source`.
std::vector<bool> depends_on(const Graph& graph, ValueId source);

// The convolutions that read a node's result as it is or after operations that keep its shape (norms, activations, gates); additions end
// the way.
std::vector<NodeId> next_convolutions(const Graph& graph, const std::vector<std::vector<NodeId>>& readers, NodeId node);

// Elements of the parameters that the nodes read; `from_image` says which values are none of their weights.
int64_t parameters_of(const Graph& graph, const std::vector<bool>& from_image, const std::vector<NodeId>& nodes);

int64_t multiply_adds_of(const Graph& graph, NodeId node);

}  // namespace fovea::explain
