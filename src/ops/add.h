// Addition with broadcasting: a dimension of 1 is repeated.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (a, b) -> a + b
struct Add {
  static constexpr std::string_view kName = "add";
  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
};
Types infer(const Add&, std::span<const Type> inputs);
void gradient(const Add&, GradientContext&);
bool overwrites(const Add&, int input, int output);  // either input, where its type is the result's

// The shape of both together; throws Error(mismatch) with both.
Shape broadcast(const Shape& a, const Shape& b);

}  // namespace fovea
