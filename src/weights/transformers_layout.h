// Tensors that the transformers library keeps in another form than every layout here.
#pragma once

#include "weights/state_dict.h"

namespace fovea::weights {

// Query, key and value of an attention (`.query.`, `.key.`, `.value.`, or `.q_proj.` and so on) become one tensor, `.qkv.`; the one of an
// attention that pools (`head.attention.in_proj_weight`) becomes a query and a pair of key and value; and where there are registers, the
// class token's position is added to the class token. A DeiT whose head reads the class token alone, though it has a token of distillation,
// gets the heads of one that has two: twice the head, and zeros. Tensors of any other file stay as they are. Throws Error(mismatch) for
// parts whose shapes differ.
StateDict with_joined_attention(StateDict file);

}  // namespace fovea::weights
