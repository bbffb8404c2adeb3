// The CPU backend: oneDNN where it is good, own SIMD kernels elsewhere. float32; i32 and i64 for indices, labels and counters.
#pragma once

#include "backend/backend.h"

namespace fovea::cpu {

// While a kernel runs, denormal numbers count as zero in the calling thread and in every worker; the calling thread's mode is restored
// after. Kernels are planned for the number of threads set at that time (base/parallel.h) and keep to it.
const backend::Backend& cpu_backend();

}  // namespace fovea::cpu
