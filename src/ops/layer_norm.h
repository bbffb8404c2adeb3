// Layer normalization (Ba et al. 2016, arXiv:1607.06450) over the channels of every pixel or token.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x [N,C,H,W], gamma [1,C,1,1], beta) -> y = gamma (x - mean) inv_std + beta, mean [N,1,H,W], inv_std = 1 / sqrt(biased variance + eps)
// [N,1,H,W]
struct LayerNorm {
  static constexpr std::string_view kName = "layer_norm";
  double eps = 1e-6;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
  }
};
Types infer(const LayerNorm&, std::span<const Type> inputs);
inline bool stays_float(const LayerNorm&, int output) { return output > 0; }
void gradient(const LayerNorm&, GradientContext&);
bool overwrites(const LayerNorm&, int input, int output);

// (dy, x, gamma, mean, inv_std) -> dx, dgamma, dbeta
struct LayerNormGrad {
  static constexpr std::string_view kName = "layer_norm_grad";
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};
Types infer(const LayerNormGrad&, std::span<const Type> inputs);
inline bool stays_float(const LayerNormGrad&, int output) { return output > 0; }
bool overwrites(const LayerNormGrad&, int input, int output);

}  // namespace fovea
