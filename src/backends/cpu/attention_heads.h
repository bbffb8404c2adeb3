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
