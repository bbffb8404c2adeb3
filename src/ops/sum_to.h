// The inverse of broadcasting: sums over every dimension that is 1 in the wanted shape. Bias gradients are it.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x) -> y of the shape
struct SumTo {
  static constexpr std::string_view kName = "sum_to";
  Shape shape;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("shape", self.shape);
  }
};
Types infer(const SumTo&, std::span<const Type> inputs);
inline bool stays_float(const SumTo&, int) { return true; }
void gradient(const SumTo&, GradientContext&);

}  // namespace fovea
