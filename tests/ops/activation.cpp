#include "ops/activation.h"

#include "cases.h"

namespace fovea::testing {

std::vector<OpCase> activation_cases() {
  using enum ActivationKind;
  std::vector<OpCase> cases;
  for (ActivationKind kind : {identity, relu, relu6, silu, sigmoid, hard_swish, hard_sigmoid, gelu, gelu_tanh, quick_gelu, exp}) {
    const std::string name = print_field(kind);
    cases.push_back({name, Activation{kind}, {away_from_kinks({2, 19, 5, 3})}, "f32[2,19,5,3]", {0}, {}, 0, 1e-6});
    cases.push_back({name + "_one_row", Activation{kind}, {away_from_kinks({1, 1, 1, 1})}, "f32[1,1,1,1]", {}, {}, 0, 1e-6});
    if (kind == identity) continue;
    cases.push_back(
        {name, ActivationGrad{kind}, {normal({2, 19, 5, 3}), away_from_kinks({2, 19, 5, 3})}, "f32[2,19,5,3]", {}, {}, 0, 1e-6});
  }
  // Far out, where exp overflows or the result is all rounding.
  for (ActivationKind kind : {silu, sigmoid, gelu, gelu_tanh, quick_gelu, hard_swish}) {
    const CaseInput far{{DType::f32, {1, 8, 1, 1}}, {-200, -100, -88, -20, 20, 88, 100, 200}};
    cases.push_back({print_field(kind) + "_far", Activation{kind}, {far}, "f32[1,8,1,1]", {}, {}, 0, 1e-6});
    if (kind == sigmoid) continue;  // its derivative takes the result, never more than 1
    cases.push_back({print_field(kind) + "_far", ActivationGrad{kind}, {normal({1, 8, 1, 1}), far}, "f32[1,8,1,1]", {}, {}, 0, 1e-6});
  }
  cases.push_back({"list", Activation{relu}, {away_from_kinks({37})}, "f32[37]", {0}, {}, 0, 1e-6});
  cases.push_back({"no_input", Activation{relu}, {}, "error: activation: 0 inputs, it takes 1"});
  cases.push_back({"of_integers", Activation{relu}, {only("i32[4]")}, "error: activation: x is i32[4], a floating type is wanted"});
  cases.push_back({"shapes", ActivationGrad{relu}, {only("f32[4]"), only("f32[5]")}, "error: activation_grad: dy is [4], [5] is wanted"});
  cases.push_back({"types", ActivationGrad{relu}, {only("f32[4]"), only("f64[4]")}, "error: activation_grad: x is f64[4], dy is f32[4]"});
  return cases;
}

}  // namespace fovea::testing
