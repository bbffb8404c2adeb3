// Differential attention (Ye et al. 2024, arXiv:2410.05258, equations 1 to 3): of two attentions to the same values one is subtracted, so
// that what both attend to for no reason goes. In the layout of timm's weights.
#pragma once

#include "nn/layers.h"

namespace fovea {

// What a block has beside its projections.
struct DifferentialWeights {
  Value q1, k1, q2, k2;  // lambda = exp(q1 k1) - exp(q2 k2) + its first value
  Value gamma;           // of the norm of every head's result
};

// "lambda_q1" to "lambda_k2" [width], half a head's channels.
DifferentialWeights differential_weights(Scope s, int64_t width);
// "sub_norm.weight" [2 width].
void add_differential_norm(Scope s, int64_t width, DifferentialWeights& weights);

// Of the rows of `qkv`, a layer at `at` on tokens x, from `begin` on: 2 width for each head's two queries, as many for its keys, its
// values.
struct DifferentialHeads {
  int64_t begin, heads, width;
  int64_t block;  // its number, from which lambda's first value follows
};
Value differential_attention(Scope s, Scope at, Value x, const LinearParameters& qkv, const DifferentialWeights& weights,
                             const DifferentialHeads& of);

}  // namespace fovea
