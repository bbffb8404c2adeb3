// Heads: what turns a network's pooled vector into logits. One for all families.
#pragma once

#include "nn/layers.h"

namespace fovea {

struct LinearHead {
  int64_t classes = 1000;
  double dropout = 0;
  Init weight, bias;  // as the library of the network's weights starts a new head
};
// (pooled [N, C, 1, 1]) -> logits [N, classes, 1, 1]
Value linear_head(Scope s, Value pooled, const LinearHead& head);

}  // namespace fovea
