// How much of the picture each value of a network can see.
#pragma once

#include <fovea/inspect.h>

#include <functional>
#include <vector>

#include "ir/graph.h"

namespace fovea::explain {

// What a convolution's kernel is taken to be, for asking what another one would see.
using KernelOf = std::function<Size2(const NodeInfo& convolution, Size2 kernel)>;

// Gives for each value r, to which every window of k on the way adds (k - 1) j, where j, the product of the strides so far, is the pixels
// between two places. Of several ways the largest counts. Values that do not depend on the image stay empty.
std::vector<ReceptiveField> receptive_fields(const Graph& graph, ValueId image, const KernelOf& kernel_of = {});

}  // namespace fovea::explain
