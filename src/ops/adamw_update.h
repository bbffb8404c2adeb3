// One step of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), as torch.optim.AdamW has it.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (parameter, gradient, m, v, rate [], step i64 []) -> next parameter, next m, next v. `step` counts from 0.
// r = rate rate_scale, t = step + 1; parameter *= 1 - r weight_decay; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
// parameter -= r / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
struct AdamWUpdate {
  static constexpr std::string_view kName = "adamw_update";
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01, rate_scale = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("beta1", self.beta1);
    visit("beta2", self.beta2);
    visit("eps", self.eps);
    visit("weight_decay", self.weight_decay);
    visit("rate_scale", self.rate_scale);
  }
};
Types infer(const AdamWUpdate&, std::span<const Type> inputs);
inline bool stays_float(const AdamWUpdate&, int) { return true; }
bool overwrites(const AdamWUpdate&, int input, int output);  // 0 -> 0, 2 -> 1, 3 -> 2

}  // namespace fovea
