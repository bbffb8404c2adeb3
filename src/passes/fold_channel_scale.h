// Folds a constant factor for every channel (a layer scale) into the convolution before it, so that an addition can follow in the same
// node.
//
// before: %0 = conv2d(x, w (, b))  %1 = multiply(%0, s)      where %0 has no other reader, s is [1,O,1,1], and w, b and s are constant
// after:  w' = multiply(w, view(s))  b' = multiply(b, s)  %1 = conv2d(x, w' (, b')); the new nodes run once, when weights are prepared.
#pragma once

#include "ir/graph.h"

namespace fovea::passes {

Graph fold_channel_scale(const Graph& graph);

}  // namespace fovea::passes
