#include "ops/activation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/check.h"

namespace fovea {

std::span<const char* const> names_of(ActivationKind) {
  static constexpr const char* names[] = {"identity",     "relu", "relu6",     "silu",       "sigmoid", "hard_swish",
                                          "hard_sigmoid", "gelu", "gelu_tanh", "quick_gelu", "exp"};
  return names;
}

bool derivative_from_result(ActivationKind kind) {
  return kind == ActivationKind::relu || kind == ActivationKind::relu6 || kind == ActivationKind::sigmoid || kind == ActivationKind::exp;
}

namespace {

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
// A NaN passes through: divergence has to show.
double clamp6(double x) { return x < 0 ? 0 : (x > 6 ? 6 : x); }
// The argument of gelu_tanh's sigmoid, and its derivative.
const double kTanhScale = 2 * std::sqrt(2 / std::numbers::pi);
constexpr double kTanhCube = 0.044715, kQuick = 1.702;
double tanh_argument(double x) { return kTanhScale * (x + kTanhCube * x * x * x); }
double tanh_slope(double x) { return kTanhScale * (1 + 3 * kTanhCube * x * x); }
// d/dx of x sigmoid(argument), where the argument's own derivative is `slope`.
double gated_derivative(double x, double argument, double slope) {
  const double s = sigmoid(argument);
  return s == 0 ? 0 : s * (1 + x * slope * sigmoid(-argument));
}
double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double normal_density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi); }

}  // namespace

double activate(ActivationKind kind, double x) {
  switch (kind) {
    case ActivationKind::identity:
      return x;
    case ActivationKind::relu:
      return x < 0 ? 0 : x;
    case ActivationKind::relu6:
      return clamp6(x);
    case ActivationKind::silu:
      return x * sigmoid(x);
    case ActivationKind::sigmoid:
      return sigmoid(x);
    case ActivationKind::hard_swish:
      return x * clamp6(x + 3) / 6;
    case ActivationKind::hard_sigmoid:
      return clamp6(x + 3) / 6;
    case ActivationKind::gelu:
      return x * normal_cdf(x);
    case ActivationKind::gelu_tanh:
      return x * sigmoid(tanh_argument(x));
    case ActivationKind::quick_gelu:
      return x * sigmoid(kQuick * x);
    case ActivationKind::exp:
      return std::exp(x);
  }
  return x;
}

double activation_derivative(ActivationKind kind, double x_or_y) {
  const double x = x_or_y, y = x_or_y;
  switch (kind) {
    case ActivationKind::identity:
      return 1;
    case ActivationKind::relu:
      return y > 0 ? 1 : 0;
    case ActivationKind::relu6:
      return y > 0 && y < 6 ? 1 : 0;
    case ActivationKind::silu: {
      const double s = sigmoid(x);
      return s * (1 + x * (1 - s));
    }
    case ActivationKind::sigmoid:
      return y * (1 - y);
    case ActivationKind::hard_swish:  // at -3: 0, at 3: 1
      return x <= -3 ? 0 : (x >= 3 ? 1 : x / 3 + 0.5);
    case ActivationKind::hard_sigmoid:  // at both kinks 0
      return x > -3 && x < 3 ? 1.0 / 6 : 0;
    case ActivationKind::gelu:
      return normal_cdf(x) + x * normal_density(x);
    case ActivationKind::gelu_tanh:
      return gated_derivative(x, tanh_argument(x), tanh_slope(x));
    case ActivationKind::quick_gelu:
      return gated_derivative(x, kQuick * x, kQuick);
    case ActivationKind::exp:
      return y;
  }
  return 1;
}

Types infer(const Activation& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 1);
  check_floating(op.kName, {{"x", inputs[0]}});
  return {inputs[0]};
}

void gradient(const Activation& op, GradientContext& g) {
  if (!g.needs(0)) return;
  if (op.kind == ActivationKind::identity) return g.give(0, g.dy());
  g.give(0, g.emit(ActivationGrad{op.kind}, {g.dy(), derivative_from_result(op.kind) ? g.y() : g.x(0)})[0]);
}

bool overwrites(const Activation&, int input, int output) { return input == 0 && output == 0; }

Types infer(const ActivationGrad& op, std::span<const Type> inputs) {
  check_count(op.kName, inputs, 2);
  check_floating(op.kName, {{"dy", inputs[0]}, {"x", inputs[1]}});
  check_shape(op.kName, {"dy", inputs[0]}, inputs[1].shape);
  return {inputs[1]};
}

bool overwrites(const ActivationGrad&, int, int output) { return output == 0; }

}  // namespace fovea
