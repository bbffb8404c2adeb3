// In what type maps lie in memory, and whether the narrower one pays on this machine.
#pragma once

#include <string>

#include "backend/backend.h"

namespace fovea::engine {

// "f32" or "bf16"; throws Error(unsupported) for another.
DType parse_precision(const std::string& name);

// Milliseconds of a convolution as networks have them in the middle, the least of several runs: below, bf16 pays. Takes some ten
// milliseconds.
struct PrecisionTimes {
  double f32 = 0, bf16 = 0;
};
PrecisionTimes measure_precision(const backend::Backend& backend);

}  // namespace fovea::engine
