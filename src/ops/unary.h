// Elementwise functions that losses are composed of.
#pragma once

#include "ir/gradient.h"

namespace fovea {

enum class UnaryKind {
  exp,
  log,
  softplus,  // log(1 + e^x)
};
std::span<const char* const> names_of(UnaryKind);

// (x) -> y
struct Unary {
  static constexpr std::string_view kName = "unary";
  UnaryKind kind = UnaryKind::exp;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("kind", self.kind);
  }
};
Types infer(const Unary&, std::span<const Type> inputs);
void gradient(const Unary&, GradientContext&);
bool overwrites(const Unary&, int input, int output);
inline bool stays_float(const Unary&, int) { return true; }

}  // namespace fovea
