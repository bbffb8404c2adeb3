// Fuses residual add and activation into training batch norm, in both directions.
//
// before: %1, m, s, .. = batch_norm_training(x, g, b, ..)  %2 = add(%1, r)  %3 = activation(%2)
//         dz = activation_grad(dy, %3)  dx, dg, db = batch_norm_training_grad(dz, x, g, m, s)       dz has other readers: the residual's
//         side
// after:  %3, m, s, .. = batch_norm_training(x, g, b, .., r) activation residual
//         dx, dg, db, dz = batch_norm_training_grad(dy, x, g, m, s, %3) activation residual
// With a residual only activations whose derivative follows from the result; without one any: the backward kernel computes the activation's
// argument again from x (operand b), so the normalized value is not kept. A residual without an activation needs no change of the backward
// node.
#pragma once

#include "ir/graph.h"

namespace fovea::passes {

Graph fuse_batch_norm(const Graph& graph);

}  // namespace fovea::passes
