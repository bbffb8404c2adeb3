// Fuses what follows a convolution or a training batch norm into it. Runs after autodiff; a fused operation carries its plain composition.
//
// before: %0 = conv2d(x, w (, b))  %1 = add(%0, r)  %2 = activation(%1)          each read by the next alone; add and activation may be
// missing after:  %2 = fused_conv2d(x, w (, b) (, r))
#pragma once

#include "ir/graph.h"

namespace fovea::passes {

Graph fuse_conv_epilogue(const Graph& graph);

}  // namespace fovea::passes
