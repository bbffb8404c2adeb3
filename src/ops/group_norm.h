// Group normalization (Wu and He 2018, arXiv:1803.08494).
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x [N,C,H,W], gamma [1,C,1,1], beta) -> y, mean [N,groups,1,1], inv_std [N,groups,1,1]: over H, W and the C / groups channels of a group,
// biased variance
struct GroupNorm {
  static constexpr std::string_view kName = "group_norm";
  int64_t groups = 32;
  double eps = 1e-5;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("groups", self.groups);
    visit("eps", self.eps);
  }
};
Types infer(const GroupNorm&, std::span<const Type> inputs);
inline bool stays_float(const GroupNorm&, int output) { return output > 0; }
void gradient(const GroupNorm&, GradientContext&);
bool overwrites(const GroupNorm&, int input, int output);

// (dy, x, gamma, mean, inv_std) -> dx, dgamma, dbeta
struct GroupNormGrad {
  static constexpr std::string_view kName = "group_norm_grad";
  int64_t groups = 32;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("groups", self.groups);
  }
};
Types infer(const GroupNormGrad&, std::span<const Type> inputs);
inline bool stays_float(const GroupNormGrad&, int output) { return output > 0; }
bool overwrites(const GroupNormGrad&, int input, int output);

}  // namespace fovea
