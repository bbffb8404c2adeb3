#include "cases.h"
#include "ops/global_response_norm.h"
#include "ops/group_norm.h"
#include "ops/layer_norm.h"
#include "ops/rms_norm.h"
#include "ops/standardize_weight.h"

namespace fovea::testing {
namespace {

std::string types(std::initializer_list<Shape> shapes) {
  std::string text;
  for (const Shape& shape : shapes) text += (text.empty() ? "" : " ") + to_string(Type{DType::f32, shape});
  return text;
}

// The forward case, and the gradient as an operation of its own on statistics that belong to no x: every operand must be read.
template <class T, class Grad>
void add_norm(std::vector<OpCase>& cases, const std::string& name, const T& op, const Grad& grad, const Shape& x, const Shape& statistics) {
  const int64_t channels = x.channels();
  const Shape vector{1, channels, 1, 1};
  const std::vector<CaseInput> inputs{normal(x), positive_channel_vector(channels, 1), channel_vector(channels, 2)};
  cases.push_back({name, op, inputs, types({x, statistics, statistics}), {0, 1, 2}, {}, 0, 1e-6});
  const std::vector<CaseInput> operands{normal(x, 3), normal(x), channel_vector(channels, 4), normal(statistics, 5),
                                        positive(statistics, 6)};
  cases.push_back({name, grad, operands, types({x, vector, vector}), {}, {1, 2}, 0, 2e-6});
}

void add_layer_norm(std::vector<OpCase>& cases) {
  const auto norm = [&](const std::string& name, const Shape& x) {
    add_norm(cases, name, LayerNorm{1e-6}, LayerNormGrad{}, x, {x.batch(), 1, x.height(), x.width()});
  };
  norm("tokens", {2, 96, 50, 1});
  norm("map", {2, 40, 7, 6});
  norm("odd", {1, 19, 5, 3});
  norm("vector", {3, 768, 1, 1});
  norm("narrow", {1, 3, 30, 9});
  norm("many_rows", {1, 36, 20, 20});

  const CaseInput x = only("f32[2,8,4,5]"), c = only("f32[1,8,1,1]"), other = only("f32[1,9,1,1]"), pixels = only("f32[2,1,4,5]");
  cases.push_back({"vectors", LayerNorm{}, {x, c, other}, "error: layer_norm: beta is [1,9,1,1], [1,8,1,1] is wanted"});
  cases.push_back({"count", LayerNorm{}, {x, c}, "error: layer_norm: 2 inputs, it takes 3"});
  cases.push_back({"rank", LayerNorm{}, {only("f32[2,8]"), c, c}, "error: layer_norm: x [2,8] has 2 dimensions, 4 are wanted"});
  cases.push_back({"types", LayerNorm{}, {x, only("f64[1,8,1,1]"), c}, "error: layer_norm: gamma is f64[1,8,1,1], x is f32[2,8,4,5]"});
  cases.push_back(
      {"statistics", LayerNormGrad{}, {x, x, c, pixels, c}, "error: layer_norm_grad: inv_std is [1,8,1,1], [2,1,4,5] is wanted"});
  cases.push_back({"dy",
                   LayerNormGrad{},
                   {only("f32[2,8,4,4]"), x, c, pixels, pixels},
                   "error: layer_norm_grad: dy is [2,8,4,4], [2,8,4,5] is wanted"});
}

void add_rms_norm(std::vector<OpCase>& cases) {
  const auto norm = [&](const std::string& name, const Shape& x) {
    const Shape vector{1, x.channels(), 1, 1}, pixels{x.batch(), 1, x.height(), x.width()};
    cases.push_back({name, RmsNorm{1e-6}, {normal(x), positive_channel_vector(x.channels(), 1)}, types({x, pixels}), {0, 1}, {}, 0, 1e-6});
    const std::vector<CaseInput> operands{normal(x, 3), normal(x), channel_vector(x.channels(), 4), positive(pixels, 5)};
    cases.push_back({name, RmsNormGrad{}, operands, types({x, vector}), {}, {1}, 0, 2e-6});
  };
  norm("tokens", {2, 96, 50, 1});
  norm("heads", {2, 24, 13, 3});
  norm("odd", {1, 19, 5, 3});
  norm("vector", {3, 768, 1, 1});
  norm("many_rows", {1, 36, 20, 20});

  const CaseInput x = only("f32[2,8,4,5]"), c = only("f32[1,8,1,1]"), pixels = only("f32[2,1,4,5]");
  cases.push_back({"vectors", RmsNorm{}, {x, only("f32[1,9,1,1]")}, "error: rms_norm: gamma is [1,9,1,1], [1,8,1,1] is wanted"});
  cases.push_back({"count", RmsNorm{}, {x, c, c}, "error: rms_norm: 3 inputs, it takes 2"});
  cases.push_back({"rank", RmsNorm{}, {only("f32[2,8]"), c}, "error: rms_norm: x [2,8] has 2 dimensions, 4 are wanted"});
  cases.push_back({"types", RmsNorm{}, {x, only("f64[1,8,1,1]")}, "error: rms_norm: gamma is f64[1,8,1,1], x is f32[2,8,4,5]"});
  cases.push_back({"statistics", RmsNormGrad{}, {x, x, c, c}, "error: rms_norm_grad: inv_rms is [1,8,1,1], [2,1,4,5] is wanted"});
  cases.push_back(
      {"dy", RmsNormGrad{}, {only("f32[2,8,4,4]"), x, c, pixels}, "error: rms_norm_grad: dy is [2,8,4,4], [2,8,4,5] is wanted"});
}

void add_group_norm(std::vector<OpCase>& cases) {
  const auto norm = [&](const std::string& name, const Shape& x, int64_t groups) {
    add_norm(cases, name, GroupNorm{groups, 1e-5}, GroupNormGrad{groups}, x, {x.batch(), groups, 1, 1});
  };
  norm("pictures", {2, 64, 7, 6}, 32);
  norm("one_picture", {1, 48, 9, 8}, 4);
  norm("odd", {3, 21, 5, 3}, 7);
  norm("one_group", {2, 19, 4, 4}, 1);
  norm("group_a_channel", {2, 8, 5, 5}, 8);
  norm("vector", {3, 32, 1, 1}, 4);
  norm("batch", {9, 16, 3, 3}, 2);

  const CaseInput x = only("f32[2,8,4,5]"), c = only("f32[1,8,1,1]"), statistics = only("f32[2,4,1,1]");
  cases.push_back({"multiple", GroupNorm{3}, {x, c, c}, "error: group_norm: 8 channels of x are no multiple of 3 groups"});
  cases.push_back({"groups", GroupNorm{0}, {x, c, c}, "error: group_norm: 0 groups, at least 1"});
  cases.push_back({"vectors", GroupNorm{4}, {x, statistics, c}, "error: group_norm: gamma is [2,4,1,1], [1,8,1,1] is wanted"});
  cases.push_back({"rank", GroupNorm{4}, {only("f32[2,8]"), c, c}, "error: group_norm: x [2,8] has 2 dimensions, 4 are wanted"});
  cases.push_back({"statistics",
                   GroupNormGrad{2},
                   {x, x, c, statistics, statistics},
                   "error: group_norm_grad: mean is [2,4,1,1], [2,2,1,1] is wanted"});
  cases.push_back({"multiple",
                   GroupNormGrad{3},
                   {x, x, c, statistics, statistics},
                   "error: group_norm_grad: 8 channels of x are no multiple of 3 groups"});
}

void add_standardize_weight(std::vector<OpCase>& cases) {
  const auto standardize = [&](const std::string& name, const Shape& w) {
    cases.push_back({name, StandardizeWeight{1e-8}, {parameter(normal(w))}, types({w}), {0}, {0}, 0, 1e-6});
    cases.push_back({name, StandardizeWeightGrad{1e-8}, {parameter(normal(w, 1)), parameter(normal(w))}, types({w}), {}, {0}, 0, 2e-6});
  };
  standardize("3x3", {6, 5, 3, 3});
  standardize("stem", {64, 3, 7, 7});
  standardize("1x1", {24, 40, 1, 1});
  standardize("large", {4, 512, 3, 3});
  const CaseInput w = only("f32[6,5,3,3]");
  cases.push_back({"rank", StandardizeWeight{}, {only("f32[6,5]")}, "error: standardize_weight: w [6,5] has 2 dimensions, 4 are wanted"});
  cases.push_back({"count", StandardizeWeight{}, {w, w}, "error: standardize_weight: 2 inputs, it takes 1"});
  cases.push_back(
      {"integers", StandardizeWeight{}, {only("i32[6,5,3,3]")}, "error: standardize_weight: w is i32[6,5,3,3], a floating type is wanted"});
  cases.push_back(
      {"dy", StandardizeWeightGrad{}, {only("f32[6,5,3,1]"), w}, "error: standardize_weight_grad: dy is [6,5,3,1], [6,5,3,3] is wanted"});
}

void add_global_response_norm(std::vector<OpCase>& cases) {
  const auto norm = [&](const std::string& name, const Shape& x) {
    const int64_t channels = x.channels();
    const Shape vector{1, channels, 1, 1};
    const std::vector<CaseInput> inputs{normal(x), channel_vector(channels, 1), channel_vector(channels, 2)};
    cases.push_back({name, GlobalResponseNorm{1e-6}, inputs, types({x}), {0, 1, 2}, {}, 0, 1e-6});
    const std::vector<CaseInput> operands{normal(x, 3), normal(x), channel_vector(channels, 4)};
    cases.push_back({name, GlobalResponseNormGrad{1e-6}, operands, types({x, vector, vector}), {}, {1, 2}, 0, 2e-6});
  };
  norm("pictures", {2, 64, 7, 6});
  norm("one_picture", {1, 160, 14, 13});
  norm("odd", {3, 19, 5, 3});
  norm("batch", {9, 8, 2, 2});
  // A channel of zeros: its norm has no slope.
  OpCase dead = cases[cases.size() - 3];
  dead.name = "dead_channel";
  for (int64_t pixel = 0; pixel < 15; ++pixel) dead.inputs[1].values[static_cast<size_t>(pixel)] = 0;
  cases.push_back(dead);

  const CaseInput x = only("f32[2,8,4,5]"), c = only("f32[1,8,1,1]");
  cases.push_back({"vectors",
                   GlobalResponseNorm{},
                   {x, only("f32[1,9,1,1]"), c},
                   "error: global_response_norm: gamma is [1,9,1,1], [1,8,1,1] is wanted"});
  cases.push_back(
      {"rank", GlobalResponseNorm{}, {only("f32[2,8]"), c, c}, "error: global_response_norm: x [2,8] has 2 dimensions, 4 are wanted"});
  cases.push_back({"dy",
                   GlobalResponseNormGrad{},
                   {only("f32[2,8,4,4]"), x, c},
                   "error: global_response_norm_grad: dy is [2,8,4,4], [2,8,4,5] is wanted"});
}

}  // namespace

std::vector<OpCase> norm_cases() {
  std::vector<OpCase> cases;
  add_layer_norm(cases);
  add_rms_norm(cases);
  add_group_norm(cases);
  add_standardize_weight(cases);
  add_global_response_norm(cases);
  return cases;
}

}  // namespace fovea::testing
