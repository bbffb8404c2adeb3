// Reverse-mode differentiation at compile time: one walk over the nodes, rules from the operations.
#pragma once

#include <span>
#include <vector>

#include "ir/graph.h"

namespace fovea::autodiff {

// Appends to the graph what computes d target / d value for every value asked for; the target is a scalar. Only nodes on a path from a wanted value to
// the target are visited, so what lies below a frozen part costs nothing. A value that the target does not depend on gets an invalid id.
// Throws Error(unsupported) naming a node on the path that has no gradient rule.
std::vector<ValueId> gradients(Graph& graph, ValueId target, std::span<const ValueId> wanted);

// The same of any value, from a given gradient of the target's own shape (Grad-CAM starts from one logit).
std::vector<ValueId> gradients(Graph& graph, ValueId target, ValueId target_gradient, std::span<const ValueId> wanted);

}  // namespace fovea::autodiff
