// A constant filled with one value: where a backward walk starts.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// () -> y
struct Constant {
  static constexpr std::string_view kName = "constant";
  DType dtype = DType::f32;
  Shape shape;
  double value = 0;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("dtype", self.dtype);
    visit("shape", self.shape);
    visit("value", self.value);
  }
};
Types infer(const Constant&, std::span<const Type> inputs);

}  // namespace fovea
