// Counts: num_batches_tracked.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (n i64 []) -> n + 1
struct Increment {
  static constexpr std::string_view kName = "increment";
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};
Types infer(const Increment&, std::span<const Type> inputs);
bool overwrites(const Increment&, int input, int output);

}  // namespace fovea
