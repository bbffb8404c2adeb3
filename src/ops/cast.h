// The same numbers in another floating type.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x) -> y of the type, rounded to nearest even
struct Cast {
  static constexpr std::string_view kName = "cast";
  DType dtype = DType::f32;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("dtype", self.dtype);
  }
};
Types infer(const Cast&, std::span<const Type> inputs);
inline bool stays_float(const Cast& op, int) { return op.dtype == DType::f32; }
void gradient(const Cast&, GradientContext&);

}  // namespace fovea
