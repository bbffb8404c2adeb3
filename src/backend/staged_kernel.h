// A kernel whose operands are copied to and from another form: dense rows, or f32 in place of bf16.
#pragma once

#include "backend/backend.h"

namespace fovea::backend {

// The operands as a kernel wants them that takes dense rows alone, and, with `widen`, no bf16.
std::vector<Operand> staged(std::span<const Operand> operands, bool widen);
bool same_form(std::span<const Operand> a, std::span<const Operand> b);

// `kernel` was planned for `wanted...`; what comes out runs on `inputs` and `outputs`.
std::unique_ptr<Kernel> stage(std::unique_ptr<Kernel> kernel, std::span<const Operand> inputs, std::span<const Operand> outputs,
                              std::span<const Operand> wanted_inputs, std::span<const Operand> wanted_outputs);

}  // namespace fovea::backend
