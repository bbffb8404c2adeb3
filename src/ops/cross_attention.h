// Multi-head attention of queries to keys and values of other tokens (Vaswani et al. 2017, arXiv:1706.03762, section 3.2), without the
// projections around it.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (q [N,C,Q,1], k [N,C,T,1], v [N,V,T,1], the channels of a head side by side) -> y [N,V,Q,1], log_sum [N,heads,Q,1]
// y = softmax(q k^T / sqrt(C / heads)) v for each head, of V / heads channels; log_sum as in Attention.
struct CrossAttention {
  static constexpr std::string_view kName = "cross_attention";
  int64_t heads = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("heads", self.heads);
  }
};
Types infer(const CrossAttention&, std::span<const Type> inputs);
inline bool stays_float(const CrossAttention&, int output) { return output > 0; }
void gradient(const CrossAttention&, GradientContext&);
Cost cost(const CrossAttention&, std::span<const Type> inputs, std::span<const Type> outputs);

// (dy, q, k, v, y, log_sum) -> dq, dk, dv
struct CrossAttentionGrad {
  static constexpr std::string_view kName = "cross_attention_grad";
  int64_t heads = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("heads", self.heads);
  }
};
Types infer(const CrossAttentionGrad&, std::span<const Type> inputs);
Cost cost(const CrossAttentionGrad&, std::span<const Type> inputs, std::span<const Type> outputs);

}  // namespace fovea
