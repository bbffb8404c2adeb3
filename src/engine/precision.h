// Which types maps can have in memory, and whether the narrower one pays on this machine.
#pragma once

#include <string>

#include "backend/backend.h"

namespace fovea::engine {

// "f32" or "bf16"; throws Error(unsupported) for another.
DType parse_precision(const std::string& name);

// Empty where a convolution as networks have them in the middle is faster in bf16; else a sentence with both times. Takes some ten
// milliseconds, once a process.
std::string why_not_bf16(const backend::Backend& backend);

}  // namespace fovea::engine
