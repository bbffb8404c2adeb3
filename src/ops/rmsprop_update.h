// One step of RMSprop as TensorFlow has it, and timm's RMSpropTF: eps inside the root, the mean square from 1, the rate in the momentum.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (parameter, gradient, mean square, velocity, rate []) -> next parameter, next mean square, next velocity
// g = gradient + weight_decay parameter; s += (1 - alpha) (g^2 - s); velocity = momentum velocity + rate rate_scale g / sqrt(s + eps);
// parameter -= velocity. The mean square starts at 1.
struct RmspropUpdate {
  static constexpr std::string_view kName = "rmsprop_update";
  double alpha = 0.9, momentum = 0.9, eps = 1e-10, weight_decay = 0, rate_scale = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("alpha", self.alpha);
    visit("momentum", self.momentum);
    visit("eps", self.eps);
    visit("weight_decay", self.weight_decay);
    visit("rate_scale", self.rate_scale);
  }
};
Types infer(const RmspropUpdate&, std::span<const Type> inputs);
inline bool stays_float(const RmspropUpdate&, int) { return true; }
bool overwrites(const RmspropUpdate&, int input, int output);  // 0 -> 0, 2 -> 1, 3 -> 2

}  // namespace fovea
