// Weight standardization (Qiao et al. 2019, arXiv:1903.10520): what BiT's convolutions do to their weights before they use them.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (w [O,I,kh,kw]) -> (w - mean) / sqrt(biased variance + eps), over the I kh kw weights of each output
struct StandardizeWeight {
  static constexpr std::string_view kName = "standardize_weight";
  double eps = 1e-8;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
  }
};
Types infer(const StandardizeWeight&, std::span<const Type> inputs);
void gradient(const StandardizeWeight&, GradientContext&);

// (dy, w) -> dw
struct StandardizeWeightGrad {
  static constexpr std::string_view kName = "standardize_weight_grad";
  double eps = 1e-8;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("eps", self.eps);
  }
};
Types infer(const StandardizeWeightGrad&, std::span<const Type> inputs);
inline bool stays_float(const StandardizeWeightGrad&, int) { return true; }

}  // namespace fovea
