// Elementwise activations and their derivatives.
#pragma once

#include "ir/gradient.h"
#include "ops/activation_kind.h"

namespace fovea {

std::span<const char* const> names_of(ActivationKind);

// Whether the derivative is a function of the result (relu, relu6, sigmoid, exp); otherwise it is taken from the argument.
bool derivative_from_result(ActivationKind kind);

// The functions themselves, in double: the definition that kernels are measured against.
double activate(ActivationKind kind, double x);
// d activate / dx, from the result y where derivative_from_result, else from the argument x. At kinks as torch has it: 0 at relu's 0, at
// relu6's 0 and 6, and at hard_swish's and hard_sigmoid's -3 and 3 what torch gives.
double activation_derivative(ActivationKind kind, double x_or_y);

// (x) -> y
struct Activation {
  static constexpr std::string_view kName = "activation";
  ActivationKind kind = ActivationKind::relu;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("kind", self.kind);
  }
};
Types infer(const Activation&, std::span<const Type> inputs);
void gradient(const Activation&, GradientContext&);
bool overwrites(const Activation&, int input, int output);

// (dy, x or y) -> dx
struct ActivationGrad {
  static constexpr std::string_view kName = "activation_grad";
  ActivationKind kind = ActivationKind::relu;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("kind", self.kind);
  }
};
Types infer(const ActivationGrad&, std::span<const Type> inputs);
bool overwrites(const ActivationGrad&, int input, int output);

}  // namespace fovea
