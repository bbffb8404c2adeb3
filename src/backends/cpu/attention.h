// One head of attention in blocks of queries, single-threaded; threads and partitions are the caller's.
#pragma once

#include <cstdint>

#include "backends/cpu/panels.h"

namespace fovea::cpu::simd {

// Matrices in scratch memory are padded to whole panel units of columns, and to a multiple of this many rows.
constexpr int64_t kTileRows = 6;

constexpr int64_t padded_rows(int64_t rows) { return (rows + kTileRows - 1) / kTileRows * kTileRows; }

struct HeadSize {
  int64_t tokens, width, value_width;  // of keys and values; width: of queries and keys
  int64_t block;                       // queries at once, a multiple of kTileRows

  int64_t columns() const { return padded_columns(width); }
  int64_t value_columns() const { return padded_columns(value_width); }
  int64_t wide() const { return padded_columns(tokens); }
  // Floats of the matrices below.
  int64_t key_floats() const { return padded_rows(tokens) * columns(); }
  int64_t value_floats() const { return padded_rows(tokens) * value_columns(); }
  int64_t transposed_key_floats() const { return width * wide(); }
  int64_t transposed_value_floats() const { return value_width * wide(); }
  int64_t query_floats() const { return block * columns(); }
  int64_t result_floats() const { return block * value_columns(); }
  int64_t score_floats() const { return block * wide() + kPanelUnit; }  // the last rows of a transposed tile read past the end
};

// Rows of tokens in an operand, from this head's first channel on.
struct HeadRows {
  const float* data;
  int64_t stride;
};

// keys: [width][tokens] in panels, values: [tokens][value_width], queries: [block][width], results: [block][value_width], scores:
// [block][tokens], all padded.
struct ForwardScratch {
  float *keys, *values, *queries, *scores, *results;
};
struct ForwardBlock {
  HeadSize size;
  HeadRows queries;
  int64_t first, rows;  // the block's queries
  float* y;             // of this head; may be null
  int64_t y_stride;
  float* log_sum;  // of this head; may be null
  int64_t log_sum_stride;
};
// For all blocks of a head. Without values where they are null.
void attention_pack(const HeadSize& size, const HeadRows& keys, const HeadRows& values, const ForwardScratch& scratch);
void attention_forward(const ForwardBlock& block, const ForwardScratch& scratch);
// A block's probabilities, into scratch.scores, rows size.wide() apart.
void attention_probabilities(const ForwardBlock& block, const ForwardScratch& scratch);

// transposed: [width][tokens] and [value_width][tokens] in panels; queries, results: [block][width]; slopes (dy): [block][value_width];
// scores, score_slopes: [block][tokens].
struct BackwardScratch {
  float *keys_transposed, *values_transposed, *keys, *queries, *slopes, *results, *scores, *score_slopes;
  float *dkeys, *dvalues;  // [tokens][width], [tokens][value_width], sums over the blocks
};
struct BackwardBlock {
  HeadSize size;
  HeadRows queries, dy, y, log_sum;
  int64_t first, rows;
  bool add;  // to dkeys and dvalues
  float* dqueries;  // may be null
  int64_t dqueries_stride;
};
void attention_grad_pack(const HeadSize& size, const HeadRows& keys, const HeadRows& values, const BackwardScratch& scratch);
void attention_grad(const BackwardBlock& block, const BackwardScratch& scratch);

}  // namespace fovea::cpu::simd
