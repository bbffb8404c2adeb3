// Folds batch norm by running statistics into the convolution before it.
//
// before: %0 = conv2d(x, w (, b))  %1 = batch_norm_inference(%0, g, beta, mean, var)      where %0 has no other reader and every vector and
// w is constant after:  w', b' = fold_batch_norm(w, g, beta, mean, var (, b))  %1 = conv2d(x, w', b') w' = w g / sqrt(var + eps), b' = (b -
// mean) g / sqrt(var + eps) + beta; the new node runs once, when weights are prepared.
#pragma once

#include "ir/graph.h"

namespace fovea::passes {

Graph fold_batch_norm(const Graph& graph);

}  // namespace fovea::passes
