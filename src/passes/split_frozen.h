// Cuts a graph into what no step changes and the rest: the prefix's outputs, "cut.0", "cut.1", ..., are inputs of the suffix under the same
// names. A value belongs to the prefix where it follows from inputs named as data (the image) and from states that are never written and do
// not train alone; nothing random (seed and step are no data) and no training batch norm is among it. What follows from such states without
// the data (weights on their way) is no cut: either side has its own. Run it on a lowered graph, before autodiff.
#pragma once

#include <set>
#include <string>

#include "ir/graph.h"

namespace fovea::passes {

struct SplitGraph {
  Graph prefix, suffix;
  std::vector<NamedValue> cuts;  // in the source graph
};

// `data`: the inputs that the prefix may read. With nothing frozen the prefix has no nodes and the suffix is the graph.
SplitGraph split_frozen(const Graph& graph, const std::set<std::string>& frozen, const std::set<std::string>& data);

}  // namespace fovea::passes
