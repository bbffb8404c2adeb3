// Multiplication with broadcasting: squeeze-excite's gate, a layer scale.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (a, b) -> a b
struct Multiply {
  static constexpr std::string_view kName = "multiply";
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};
Types infer(const Multiply&, std::span<const Type> inputs);
void gradient(const Multiply&, GradientContext&);
bool overwrites(const Multiply&, int input, int output);

}  // namespace fovea
