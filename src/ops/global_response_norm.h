// Global response normalization (Woo et al. 2023, arXiv:2301.00808, algorithm 1).
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x [N,C,H,W], gamma [1,C,1,1], beta) -> y = x + gamma x r + beta, where g is the L2 norm of each picture's channel over H and W and
// r = g / (mean of g over the channels + eps)
struct GlobalResponseNorm {
  static constexpr std::string_view kName = "global_response_norm";
  double eps = 1e-6;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
  }
};
Types infer(const GlobalResponseNorm&, std::span<const Type> inputs);
inline bool stays_float(const GlobalResponseNorm&, int output) { return output > 0; }
void gradient(const GlobalResponseNorm&, GradientContext&);

// (dy, x, gamma) -> dx, dgamma, dbeta
struct GlobalResponseNormGrad {
  static constexpr std::string_view kName = "global_response_norm_grad";
  double eps = 1e-6;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
  }
};
Types infer(const GlobalResponseNormGrad&, std::span<const Type> inputs);
inline bool stays_float(const GlobalResponseNormGrad&, int output) { return output > 0; }

}  // namespace fovea
