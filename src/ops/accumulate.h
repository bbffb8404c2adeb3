// Running sums: gradients of several batches, and averages of weights over the steps.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (sum, x, keep [], scale []) -> keep sum + scale x; a sum that is not kept (keep 0) is not looked at.
struct Accumulate {
  static constexpr std::string_view kName = "accumulate";
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};
Types infer(const Accumulate&, std::span<const Type> inputs);
inline bool stays_float(const Accumulate&, int) { return true; }
bool overwrites(const Accumulate&, int input, int output);  // 0 -> 0

}  // namespace fovea
