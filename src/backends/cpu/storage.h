// Numbers as they lie in memory: float, or its upper half (bfloat16). Kernels compute in float either way.
#pragma once

#include <cstdint>

namespace fovea::cpu {

struct Bf16 {
  uint16_t bits;
};

}  // namespace fovea::cpu
