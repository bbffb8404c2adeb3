// Between the logical order of tensors (N, C, H, W) and the channels-last memory of the engine.
#pragma once

#include <fovea/tensor.h>

#include "ir/types.h"

namespace fovea::engine {

// Writes a tensor of the type's element count, in logical order, into the engine's memory; converts floating types. The tensor's own shape
// does not matter (a checkpoint's [C] is the graph's [1,C,1,1]).
void write_memory(const Tensor& tensor, const Type& type, void* memory);

// The inverse, with `shape` for the result; floating types become `dtype`, integers stay.
Tensor read_memory(const void* memory, const Type& type, std::vector<int64_t> shape, DType dtype);

}  // namespace fovea::engine
