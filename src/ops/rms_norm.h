// Root mean square normalization (Zhang and Sennrich 2019, arXiv:1910.07467) over the channels of every pixel or token.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x [N,C,H,W], gamma [1,C,1,1]) -> y = gamma x inv_rms, inv_rms = 1 / sqrt(mean of squares + eps) [N,1,H,W]
struct RmsNorm {
  static constexpr std::string_view kName = "rms_norm";
  double eps = 1e-6;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
  }
};
Types infer(const RmsNorm&, std::span<const Type> inputs);
inline bool stays_float(const RmsNorm&, int output) { return output > 0; }
void gradient(const RmsNorm&, GradientContext&);
bool overwrites(const RmsNorm&, int input, int output);

// (dy, x, gamma, inv_rms) -> dx, dgamma
struct RmsNormGrad {
  static constexpr std::string_view kName = "rms_norm_grad";
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};
Types infer(const RmsNormGrad&, std::span<const Type> inputs);
inline bool stays_float(const RmsNormGrad&, int output) { return output > 0; }
bool overwrites(const RmsNormGrad&, int input, int output);

}  // namespace fovea
