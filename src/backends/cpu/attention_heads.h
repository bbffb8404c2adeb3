// Where the numbers of one head of one picture lie, for the kernels of attention.
#pragma once

#include <utility>

#include "backends/cpu/kernel.h"

namespace fovea::cpu {

struct Heads {
  int64_t batch, heads, tokens, width, stride;  // stride: between tokens of qkv

  Heads(const Operand& qkv, int64_t heads_each)
      : batch(qkv.type.shape.batch()),
        heads(heads_each),
        tokens(qkv.type.shape.height()),
        width(qkv.type.shape.channels() / (3 * heads)),
        stride(qkv.row_stride) {}

  int64_t count() const { return batch * heads; }
  // Queries, keys or values of a head.
  int64_t offset(int64_t index, int64_t part) const { return index / heads * tokens * stride + (part * heads + index % heads) * width; }
  // Of an operand [N,C,T,1], or [N,heads,T,1] with one channel a head.
  int64_t offset(int64_t index, int64_t row_stride, int64_t channels) const {
    return index / heads * tokens * row_stride + index % heads * channels;
  }
};

// Queries, keys or values of all heads in an operand of tokens, the channels of a head side by side.
struct HeadTokens {
  size_t operand;
  int64_t first, width, tokens, stride;  // the first head's first channel; channels of a head; stride: between tokens

  static HeadTokens of(size_t operand, const Operand& tokens, int64_t heads) {
    return {operand, 0, tokens.type.shape.channels() / heads, tokens.type.shape.height(), tokens.row_stride};
  }
  int64_t offset(int64_t heads, int64_t index) const { return index / heads * tokens * stride + first + index % heads * width; }
};

// Where the three lie for one operation: in one operand one after the other, or in three.
struct AttentionTokens {
  int64_t batch, heads;
  HeadTokens q, k, v;

  static AttentionTokens of_qkv(size_t operand, const Operand& qkv, int64_t heads) {
    const int64_t channels = qkv.type.shape.channels() / 3;
    const auto part = [&](int64_t which) {
      return HeadTokens{operand, which * channels, channels / heads, qkv.type.shape.height(), qkv.row_stride};
    };
    return {qkv.type.shape.batch(), heads, part(0), part(1), part(2)};
  }
  static AttentionTokens of_three(size_t first, std::span<const Operand> operands, int64_t heads) {
    const auto part = [&](size_t which) { return HeadTokens::of(first + which, operands[first + which], heads); };
    return {operands[first].type.shape.batch(), heads, part(0), part(1), part(2)};
  }
  int64_t count() const { return batch * heads; }
  // Of an operand with a row for each query: that of a head's first.
  int64_t offset(int64_t index, int64_t row_stride, int64_t channels) const {
    return index / heads * q.tokens * row_stride + index % heads * channels;
  }
};

// Consecutive places in scratch memory.
class HeadLayout {
 public:
  size_t add(size_t bytes) { return std::exchange(bytes_, bytes_ + align64(bytes)); }
  size_t floats(int64_t count) { return add(static_cast<size_t>(count) * sizeof(float)); }
  size_t halves(int64_t count) { return add(static_cast<size_t>(count) * sizeof(Bf16)); }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_ = 0;
};

}  // namespace fovea::cpu
