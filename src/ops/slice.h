// A part of a value along one dimension, and a value in the middle of zeros: each the gradient of the other.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x) -> y: the places begin to end - 1 of `axis` (0 to 3: N, C, H, W)
struct Slice {
  static constexpr std::string_view kName = "slice";
  int64_t axis = 1;
  int64_t begin = 0;
  int64_t end = 0;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("axis", self.axis);
    visit("begin", self.begin);
    visit("end", self.end);
  }
};
Types infer(const Slice&, std::span<const Type> inputs);
void gradient(const Slice&, GradientContext&);

// (x) -> y: x with `before` and `after` places of zeros around it along `axis`
struct Pad {
  static constexpr std::string_view kName = "pad";
  int64_t axis = 1;
  int64_t before = 0;
  int64_t after = 0;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("axis", self.axis);
    visit("before", self.before);
    visit("after", self.after);
  }
};
Types infer(const Pad&, std::span<const Type> inputs);
void gradient(const Pad&, GradientContext&);

}  // namespace fovea
