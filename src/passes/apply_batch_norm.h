// Brings what fold_batch_norm has left of inference norms into the form that is applied, once for constant vectors, and takes the residual
// add and the activation that follow into the same pass over memory.
//
// before: %0 = batch_norm_inference(x, g, b, mean, var)  %1 = add(%0, r)  %2 = activation(%1)     where neither %0 nor %1 has other readers
// after:  %0 = batch_norm_affine(g, b, var)  %2 = batch_norm_apply(x, mean, %0, r) activation residual
#pragma once

#include "ir/graph.h"

namespace fovea::passes {

Graph apply_batch_norm(const Graph& graph);

}  // namespace fovea::passes
