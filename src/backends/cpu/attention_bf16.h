// What attention in bf16 does between its matrix products, single-threaded. Matrices are padded with zeros to whole blocks.
#pragma once

#include <cstdint>

#include "backends/cpu/storage.h"

namespace fovea::cpu::simd {

// Tokens of one head in `count` blocks.
struct Blocks {
  int64_t tokens, width;
  int64_t block, count;
  int64_t columns;  // of a padded token

  int64_t wide() const { return block * count; }
  // Those of a block that are no padding.
  int64_t rows(int64_t index) const { return index + 1 < count ? block : tokens - index * block; }
};

// scores: [count][block rows][block] of the rows' products with every block of the other side. Writes e^(scale (score - the row's largest))
// as [block rows][wide], the sums of these and their logarithms with the largest added.
struct SoftmaxRows {
  const Blocks& blocks;
  int64_t rows;
  float scale;
  float* scores;
  Bf16* exponentials;
  float *sums, *log_sums;
};
void softmax_rows(const SoftmaxRows& s);
// to[row] = from[row] / sums[row]
void divide_rows(const Blocks& blocks, int64_t rows, const float* from, const float* sums, Bf16* to, int64_t to_stride);

// A block of keys by all queries: scores and slopes as above; log_sums and means of the queries, padded. Writes the probabilities and the
// scores' gradient times scale, 0 in the rows that are padding.
struct SoftmaxGradRows {
  const Blocks& blocks;
  int64_t rows;
  float scale;
  const float *scores, *slopes, *log_sums, *means;
  Bf16 *probabilities, *score_slopes;
};
void softmax_grad_rows(const SoftmaxGradRows& s);
float dot(const Bf16* a, const Bf16* b, int64_t n);

}  // namespace fovea::cpu::simd
