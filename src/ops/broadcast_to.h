// Repeats along dimensions of 1, times a factor: the gradient of sums and means.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x) -> y = scale x, repeated to the shape
struct BroadcastTo {
  static constexpr std::string_view kName = "broadcast_to";
  Shape shape;
  double scale = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("shape", self.shape);
    visit("scale", self.scale);
  }
};
Types infer(const BroadcastTo&, std::span<const Type> inputs);
void gradient(const BroadcastTo&, GradientContext&);

}  // namespace fovea
