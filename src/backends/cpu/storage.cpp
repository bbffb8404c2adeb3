#include "backends/cpu/storage.h"

#include "ir/types.h"

namespace fovea::cpu {

Source::Source(const void* memory, DType dtype) : data(memory), bf16(dtype == DType::bf16) {}
Target::Target(void* memory, DType dtype) : data(memory), bf16(dtype == DType::bf16) {}

}  // namespace fovea::cpu
