// Large weights of linear layers are updated part by part as their gradient comes, which then never lies in memory whole.
//
// before: %0 = conv2d_weight_grad(x, dy)   %1, %2 = sgd_update(w, %0, v, rate)      where nothing else reads %0, which is large, and the
//                                                                                 kernel covers all of x
// after:  %1, %2 = linear_sgd_update(w, x, dy, v, rate)                                        likewise adamw_update, rmsprop_update
#pragma once

#include "ir/graph.h"

namespace fovea::passes {

Graph fuse_linear_updates(const Graph& graph);

}  // namespace fovea::passes
