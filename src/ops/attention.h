// Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2) of tokens, without the projections around it.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (qkv [N,3C,T,1]: queries, keys, values, each with the channels of a head side by side) -> y [N,C,T,1], log_sum [N,heads,T,1]
// y = softmax(q k^T / sqrt(C / heads)) v for each head; log_sum is the logarithm of each softmax's divisor, the exponents' scale included.
// The T x T probabilities are never all in memory.
struct Attention {
  static constexpr std::string_view kName = "attention";
  int64_t heads = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("heads", self.heads);
  }
};
Types infer(const Attention&, std::span<const Type> inputs);
inline bool stays_float(const Attention&, int output) { return output > 0; }
void gradient(const Attention&, GradientContext&);
Cost cost(const Attention&, std::span<const Type> inputs, std::span<const Type> outputs);

// (dy, qkv, y, log_sum) -> dqkv
struct AttentionGrad {
  static constexpr std::string_view kName = "attention_grad";
  int64_t heads = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("heads", self.heads);
  }
};
Types infer(const AttentionGrad&, std::span<const Type> inputs);
Cost cost(const AttentionGrad&, std::span<const Type> inputs, std::span<const Type> outputs);

// (qkv) -> the probabilities [N,heads,T,T] that Attention forms (row: query, column: key), for those who want to look at them
struct AttentionProbabilities {
  static constexpr std::string_view kName = "attention_probabilities";
  int64_t heads = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("heads", self.heads);
  }
};
Types infer(const AttentionProbabilities&, std::span<const Type> inputs);
inline bool stays_float(const AttentionProbabilities&, int) { return true; }
Cost cost(const AttentionProbabilities&, std::span<const Type> inputs, std::span<const Type> outputs);

}  // namespace fovea
