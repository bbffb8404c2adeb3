// A network as a graph that knows no mode, no device and no weights: what the registry builds and every job starts from.
#pragma once

#include <string>
#include <vector>

#include "nn/scope.h"

namespace fovea {

struct BuildOptions {
  int64_t batch = 1;
  int64_t height = 224, width = 224;
  int64_t channels = 3;
  int64_t classes = 1000;  // 0: no head, the graph ends with the pooled vector
};

struct ModelGraph {
  Graph graph;
  ValueId image;          // input "image" f32 [N, channels, height, width]
  ValueId map;            // the last feature map, before pooling
  ValueId pooled;         // the feature vector [N, C, 1, 1]
  ValueId logits;         // [N, classes, 1, 1]; invalid without a head
  std::vector<Tap> taps;  // in the order of the network
};

// The states of the layers that `value` depends on, counters included, in the graph's order: what freezing a tap freezes.
std::vector<std::string> states_below(const Graph& graph, ValueId value);

// By value: rows of `image` from one of its rows to the next, the product of the strides on the way; 0 where it does not depend on it.
std::vector<int64_t> strides_from(const Graph& graph, ValueId image);

}  // namespace fovea
