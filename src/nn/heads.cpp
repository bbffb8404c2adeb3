#include "nn/heads.h"

namespace fovea {

Value linear_head(Scope s, Value pooled, const LinearHead& head) {
  return linear(s, dropout(s["dropout"], pooled, head.dropout), {.out = head.classes, .weight = head.weight, .bias = head.bias});
}

}  // namespace fovea
