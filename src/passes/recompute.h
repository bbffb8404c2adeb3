// Computes values of the forward part again where the backward part reads them, so that they need no memory in between.
//
// before: %1 = activation(%0)  %2 = conv2d(%1, w)  ..loss..  dw = conv2d_weight_grad(%1, dy)  dz = activation_grad(dx, %0)
// after:  %1 = activation(%0)  %2 = conv2d(%1, w)  ..loss..  %9 = activation(%0)  dw = conv2d_weight_grad(%9, dy)  ...
//
// A copy has the operation and the operands of its original, and random nodes are counter-based, so no bit changes. What writes a state
// never runs twice: batch_norm_training hands scale and offset to a batch_norm_apply. A copy stands right before its first reader; what it
// reads and is computed again itself comes before it. The forward part ends with the output "loss"; graphs without one stay as they are.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ir/device_traits.h"
#include "ir/graph.h"

namespace fovea::passes {

struct RecomputeOptions {
  // What it runs on; null: that is not known, and everything is computed once.
  const DeviceTraits* device = nullptr;
  // What is cheap may take this share of the step's time, by a model of it (operations and bytes of each node). Cheap is what moves bytes
  // alone and reads nothing that would be kept for it: results of norms and activations.
  double share = 0.04;
  // What the values may take (plan_memory). Where the above is more, as little more as is enough: first what is cheap, then all between
  // more and more distant cuts of the network (Chen et al. 2016, arXiv:1604.06174), convolutions included. Where nothing is enough, the
  // smallest.
  size_t arena_bytes = SIZE_MAX;
};

Graph recompute(const Graph& graph, const RecomputeOptions& options);

}  // namespace fovea::passes
