#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "backends.h"
#include "cases.h"
#include "harness.h"
#include "ops/accumulate.h"
#include "ops/adamw_update.h"
#include "ops/gradient_norm.h"
#include "ops/linear_update.h"
#include "ops/rmsprop_update.h"
#include "ops/sgd_update.h"

namespace fovea::testing {

std::vector<OpCase> optimizer_cases() {
  std::vector<OpCase> cases;
  const auto updates = [&](const std::string& name, const Shape& shape) {
    const CaseInput p = parameter(normal(shape)), g = parameter(normal(shape, 1)), m = parameter(normal(shape, 2)),
                    v = parameter(positive(shape, 3));
    const std::string type = to_string(Type{DType::f32, shape});
    for (bool nesterov : {false, true})
      cases.push_back({name + (nesterov ? "_nesterov" : ""),
                       SgdUpdate{0.9, 1e-2, 0.5, nesterov},
                       {p, g, m, scalar(0.1)},
                       type + " " + type,
                       {},
                       {0, 1},
                       0,
                       1e-6});
    cases.push_back({name + "_no_momentum", SgdUpdate{0, 0, 1, false}, {p, g, m, scalar(0.1)}, type + " " + type, {}, {0, 1}, 0, 1e-6});
    for (int64_t step : {0, 1, 100000})
      cases.push_back({name + "_step_" + std::to_string(step),
                       AdamWUpdate{0.9, 0.999, 1e-8, 0.05, 0.3},
                       {p, g, m, v, scalar(1e-2), integer(step)},
                       type + " " + type + " " + type,
                       {},
                       {0, 1, 2},
                       0,
                       1e-6});
    for (double momentum : {0.0, 0.9})
      cases.push_back({name + (momentum == 0 ? "_no_momentum" : ""),
                       RmspropUpdate{0.9, momentum, 1e-10, 1e-2, 0.5},
                       {p, g, v, m, scalar(0.1)},
                       type + " " + type + " " + type,
                       {},
                       {0, 1, 2},
                       0,
                       1e-6});
    for (double keep : {0.0, 0.75})
      cases.push_back({fmt::format("{}_keep_{}", name, keep), Accumulate{}, {p, g, scalar(keep), scalar(0.3)}, type, {}, {0}, 0, 1e-6});
    cases.push_back({name, SquaredNorm{}, {p}, "f32[]", {}, {}, 0, 1e-6});
    cases.push_back({name + "_goes_on", SquaredNorm{}, {p, scalar(2.5)}, "f32[]", {}, {}, 0, 1e-6});
  };
  // Of a layer that sees all of four pictures.
  const auto linear = [&](const std::string& name, const Shape& shape) {
    const CaseInput p = parameter(normal(shape)), m = parameter(normal(shape, 2)), v = parameter(positive(shape, 3));
    const CaseInput x = normal({4, shape[1], shape[2], shape[3]}, 4), dy = normal({4, shape[0], 1, 1}, 5);
    const std::string two = to_string(Type{DType::f32, shape}) + " " + to_string(Type{DType::f32, shape}),
                      three = two + " " + to_string(Type{DType::f32, shape});
    const int64_t sums = 4 * shape.elements();
    cases.push_back({name, LinearUpdate<SgdUpdate>{{0.9, 1e-2, 0.5, true}}, {p, x, dy, m, scalar(0.1)}, two, {}, {0, 1}, sums, 2e-6});
    cases.push_back({name,
                     LinearUpdate<AdamWUpdate>{{0.9, 0.999, 1e-8, 0.05, 0.3}},
                     {p, x, dy, m, v, scalar(1e-2), integer(3)},
                     three,
                     {},
                     {0, 1, 2},
                     sums,
                     2e-6});
    cases.push_back(
        {name, LinearUpdate<RmspropUpdate>{{0.9, 0.9, 1e-10, 1e-2, 0.5}}, {p, x, dy, v, m, scalar(0.1)}, three, {}, {0, 1, 2}, sums, 2e-6});
  };
  linear("layer", {10, 37, 1, 1});
  linear("maps", {17, 16, 5, 4});
  cases.push_back({"two",
                   LinearUpdate<SgdUpdate>{},
                   {only("f32[8,4,1,1]"), only("f32[2,4,1,1]")},
                   "error: linear_sgd_update: 2 inputs, it takes 4 and more"});
  cases.push_back({"shapes",
                   LinearUpdate<SgdUpdate>{},
                   {only("f32[8,4,1,1]"), only("f32[2,4,1,1]"), only("f32[2,9,1,1]"), only("f32[8,4,1,1]"), only("f32[]")},
                   "error: sgd_update: gradient is [9,4,1,1], [8,4,1,1] is wanted"});
  updates("weight", {6, 5, 3, 3});
  updates("vector", {1, 37, 1, 1});
  updates("linear", {10, 64, 1, 1});
  updates("one", {1, 1, 1, 1});
  updates("parts", {35, 64, 3, 3});
  for (double norm : {0.04, 100.0, 0.0})
    cases.push_back({fmt::format("of_{}", norm), ClipFactor{0.5}, {scalar(norm)}, "f32[]", {}, {}, 0, 1e-6});
  cases.push_back({"shape",
                   Accumulate{},
                   {only("f32[1,8,1,1]"), only("f32[1,9,1,1]"), only("f32[]"), only("f32[]")},
                   "error: accumulate: x is [1,9,1,1], [1,8,1,1] is wanted"});
  cases.push_back(
      {"sum", SquaredNorm{}, {only("f32[1,8,1,1]"), only("f32[1]")}, "error: squared_norm: sum [1] has 1 dimensions, 0 are wanted"});
  cases.push_back({"norm", ClipFactor{0}, {only("f32[]")}, "error: clip_factor: the largest norm is 0, a number above 0 is wanted"});
  const CaseInput x = only("f32[1,8,1,1]"), other = only("f32[1,9,1,1]"), rate = only("f32[]"), step = only("i64[]");
  cases.push_back({"gradient", SgdUpdate{}, {x, other, x, rate}, "error: sgd_update: gradient is [1,9,1,1], [1,8,1,1] is wanted"});
  cases.push_back({"rate", SgdUpdate{}, {x, x, x, only("f64[]")}, "error: sgd_update: rate is f64[], parameter is f32[1,8,1,1]"});
  cases.push_back({"rates", SgdUpdate{}, {x, x, x, only("f32[8]")}, "error: sgd_update: rate [8] has 1 dimensions, 0 are wanted"});
  cases.push_back({"moment", AdamWUpdate{}, {x, x, x, other, rate, step}, "error: adamw_update: v is [1,9,1,1], [1,8,1,1] is wanted"});
  cases.push_back({"step", AdamWUpdate{}, {x, x, x, x, rate, rate}, "error: adamw_update: step is f32[], i64 is wanted"});
  cases.push_back(
      {"square", RmspropUpdate{}, {x, x, other, x, rate}, "error: rmsprop_update: mean square is [1,9,1,1], [1,8,1,1] is wanted"});
  cases.push_back({"count", AdamWUpdate{}, {x, x, x, x, rate}, "error: adamw_update: 5 inputs, it takes 6"});
  return cases;
}

namespace {

constexpr size_t count = 37;
constexpr int steps = 6;

CaseInput list(const Values& values) { return parameter({{DType::f32, {static_cast<int64_t>(values.size())}}, values}); }

// In f32 every step's state is rounded once; six steps stay within this.
constexpr double ceiling = 1e-6;

TEST(SgdUpdate, FollowsTheFormulaForSeveralSteps) {
  for (const backend::Backend* backend : backends())
    for (bool nesterov : {false, true}) {
      const SgdUpdate op{0.9, 0.01, 2, nesterov};
      Values p = normal({count}).values, v(count, 0.0), wanted_p = p, wanted_v = v;
      for (int step = 0; step < steps; ++step) {
        const double rate = static_cast<float>(0.1 / (step + 1));
        const Values g = normal({count}, static_cast<uint64_t>(step + 10)).values;
        auto next = run_case(*backend, {"step", op, {list(p), list(g), list(v), scalar(rate)}, "", {}, {0, 1}}, {}).value();
        p = next[0];
        v = next[1];
        for (size_t i = 0; i < count; ++i) {
          const double slope = g[i] + 0.01 * wanted_p[i];
          wanted_v[i] = 0.9 * wanted_v[i] + slope;
          wanted_p[i] -= 2 * rate * (nesterov ? slope + 0.9 * wanted_v[i] : wanted_v[i]);
        }
      }
      EXPECT_LE(distance(p, wanted_p), ceiling) << backend->name();
      EXPECT_LE(distance(v, wanted_v), ceiling) << backend->name();
    }
}

TEST(AdamWUpdate, FollowsTheFormulaForSeveralSteps) {
  for (const backend::Backend* backend : backends()) {
    const AdamWUpdate op{0.9, 0.99, 1e-8, 0.05, 0.5};
    Values p = normal({count}).values, m(count, 0.0), v(count, 0.0), wanted_p = p, wanted_m = m, wanted_v = v;
    for (int step = 0; step < steps; ++step) {
      const double rate = static_cast<float>(0.01 * (step + 1)), r = 0.5 * rate;
      const Values g = normal({count}, static_cast<uint64_t>(step + 10)).values;
      auto next = run_case(*backend, {"step", op, {list(p), list(g), list(m), list(v), scalar(rate), integer(step)}, "", {}, {0, 1, 2}}, {})
                      .value();
      p = next[0];
      m = next[1];
      v = next[2];
      for (size_t i = 0; i < count; ++i) {
        wanted_m[i] = 0.9 * wanted_m[i] + 0.1 * g[i];
        wanted_v[i] = 0.99 * wanted_v[i] + 0.01 * g[i] * g[i];
        const double corrected_m = wanted_m[i] / (1 - std::pow(0.9, step + 1)), corrected_v = wanted_v[i] / (1 - std::pow(0.99, step + 1));
        wanted_p[i] = wanted_p[i] * (1 - r * 0.05) - r * corrected_m / (std::sqrt(corrected_v) + 1e-8);
      }
    }
    EXPECT_LE(distance(p, wanted_p), ceiling) << backend->name();
    EXPECT_LE(distance(m, wanted_m), ceiling) << backend->name();
    EXPECT_LE(distance(v, wanted_v), ceiling) << backend->name();
  }
}

}  // namespace
}  // namespace fovea::testing
