// The mean over height and width.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x [N,C,H,W]) -> y [N,C,1,1]
struct GlobalAveragePool {
  static constexpr std::string_view kName = "global_average_pool";
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};
Types infer(const GlobalAveragePool&, std::span<const Type> inputs);
void gradient(const GlobalAveragePool&, GradientContext&);

}  // namespace fovea
