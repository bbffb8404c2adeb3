// The length of all gradients together, and the factor that shortens them, as torch.nn.utils.clip_grad_norm_ has it.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x, optionally the sum so far []) -> [], the sum so far plus the sum of the squares of x
struct SquaredNorm {
  static constexpr std::string_view kName = "squared_norm";
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};
Types infer(const SquaredNorm&, std::span<const Type> inputs);
inline bool stays_float(const SquaredNorm&, int) { return true; }

// (squared norm []) -> factor [] = min(1, max_norm / (sqrt(squared norm) + 1e-6))
struct ClipFactor {
  static constexpr std::string_view kName = "clip_factor";
  double max_norm = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("max_norm", self.max_norm);
  }
};
Types infer(const ClipFactor&, std::span<const Type> inputs);
inline bool stays_float(const ClipFactor&, int) { return true; }

}  // namespace fovea
