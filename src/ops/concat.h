// Joins values along one dimension.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x0, x1, ...) -> y: the inputs one after the other along `axis` (0 to 3: N, C, H, W); the other dimensions are equal.
struct Concat {
  static constexpr std::string_view kName = "concat";
  static constexpr size_t kMost = 8;  // inputs
  int64_t axis = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("axis", self.axis);
  }
};
Types infer(const Concat&, std::span<const Type> inputs);
void gradient(const Concat&, GradientContext&);

}  // namespace fovea
