// Which kernels may take memory while they run.
#pragma once

#include <string_view>

#include "backend/backend.h"

namespace fovea::test {

// oneDNN's own matrix product (gemm:jit) packs its operands into memory that it takes and gives back in every run; the library offers no
// way to hand it any. Without AVX-512 linear layers whose weights change and the weight gradients of 1x1 convolutions are such products,
// without AVX2 other layers too. Every other kernel is held to the promise.
inline bool packs_in_memory_of_its_own(const backend::Kernel& kernel) { return kernel.describe().find("gemm:jit") != std::string::npos; }

}  // namespace fovea::test
