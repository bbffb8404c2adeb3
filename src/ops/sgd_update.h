// One step of SGD with momentum, as torch.optim.SGD has it.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (parameter, gradient, velocity, rate []) -> next parameter, next velocity
// g = gradient + weight_decay parameter; velocity = momentum velocity + g; parameter -= rate rate_scale (nesterov ? g + momentum velocity :
// velocity)
struct SgdUpdate {
  static constexpr std::string_view kName = "sgd_update";
  double momentum = 0.9, weight_decay = 0, rate_scale = 1;
  bool nesterov = false;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("momentum", self.momentum);
    visit("weight_decay", self.weight_decay);
    visit("rate_scale", self.rate_scale);
    visit("nesterov", self.nesterov);
  }
};
Types infer(const SgdUpdate&, std::span<const Type> inputs);
inline bool stays_float(const SgdUpdate&, int) { return true; }
bool overwrites(const SgdUpdate&, int input, int output);  // 0 -> 0, 2 -> 1

}  // namespace fovea
