// The CPU backend: oneDNN where it is good, own SIMD kernels elsewhere. float32 and bfloat16; i32 and i64 for indices, labels and counters.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"

namespace fovea::cpu {

// While a kernel runs, denormal numbers count as zero in the calling thread and in every worker; the calling thread's mode is restored
// after. Kernels are planned for the number of threads set at that time (base/parallel.h) and keep to it.
const backend::Backend& cpu_backend();

// What computes here, as name and value: the library's version, the processor, the widest instructions that are used.
using Versions = std::vector<std::pair<std::string, std::string>>;
Versions versions();

}  // namespace fovea::cpu
