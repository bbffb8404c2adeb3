#include "ops/dropout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backends.h"
#include "base/random.h"
#include "cases.h"
#include "harness.h"

namespace fovea::testing {

std::vector<OpCase> dropout_cases() {
  std::vector<OpCase> cases;
  const auto mask = [&](const std::string& name, RandomMask op, Shape shape) {
    cases.push_back({name, op, {normal(shape), integer(17), integer(3)}, to_string(Type{DType::f32, shape}), {0}, {}, 0, 1e-6});
  };
  mask("elements", {0.3, false, 5}, {3, 19, 2, 3});
  mask("rows", {0.4, true, 5}, {9, 19, 2, 3});
  mask("wide", {0.5, false, 6}, {2, 64, 1, 1});
  mask("nothing", {0, false, 5}, {3, 7, 2, 2});
  mask("list", {0.3, false, 5}, {37});
  cases.push_back({"elements", Dropout{0.2, false}, {normal({2, 3, 4, 4})}, "f32[2,3,4,4]"});
  cases.push_back({"everything", Dropout{1, false}, {only("f32[2,3,4,4]")}, "error: dropout: probability 1, from 0 to below 1"});
  cases.push_back({"negative",
                   RandomMask{-0.1},
                   {only("f32[2,3,4,4]"), only("i64[]"), only("i64[]")},
                   "error: random_mask: probability -0.1, from 0 to below 1"});
  cases.push_back(
      {"seed", RandomMask{0.1}, {only("f32[2,3,4,4]"), only("i32[]"), only("i64[]")}, "error: random_mask: seed is i32[], i64 is wanted"});
  cases.push_back({"step",
                   RandomMask{0.1},
                   {only("f32[2,3,4,4]"), only("i64[]"), only("i64[1]")},
                   "error: random_mask: step [1] has 1 dimensions, 0 are wanted"});
  cases.push_back({"rows_of_a_list",
                   RandomMask{0.1, true},
                   {only("f32[4]"), only("i64[]"), only("i64[]")},
                   "error: random_mask: x [4] has 1 dimensions, 4 are wanted"});
  return cases;
}

namespace {

// A mask over ones, in logical order.
Values mask_of(const backend::Backend& backend, const RandomMask& op, const Shape& shape, int64_t seed, int64_t step) {
  const CaseInput ones{{DType::f32, shape}, Values(static_cast<size_t>(shape.elements()), 1.0)};
  return run_case(backend, {"mask", op, {ones, integer(seed), integer(step)}, ""}, {}).value()[0];
}

TEST(RandomMask, KeepsItsShareAndScalesIt) {
  for (const backend::Backend* backend : backends()) {
    const Values mask = mask_of(*backend, {0.3, false, 1}, {8, 64, 14, 14}, 1, 0);
    double kept = 0;
    for (double value : mask) {
      ASSERT_TRUE(value == 0 || value == static_cast<float>(1 / 0.7)) << value;
      kept += value != 0;
    }
    const auto count = static_cast<double>(mask.size());
    EXPECT_NEAR(kept / count, 0.7, 5 * std::sqrt(0.3 * 0.7 / count)) << backend->name();
  }
}

TEST(RandomMask, DropsWholeRowsPerSample) {
  for (const backend::Backend* backend : backends()) {
    const Values mask = mask_of(*backend, {0.5, true, 1}, {400, 3, 2, 2}, 1, 0);
    int kept = 0;
    for (size_t n = 0; n < 400; ++n) {
      for (size_t i = 0; i < 12; ++i) ASSERT_EQ(mask[n * 12 + i], mask[n * 12]);
      kept += mask[n * 12] != 0;
    }
    EXPECT_NEAR(kept, 200, 50) << backend->name();
  }
}

TEST(RandomMask, DependsOnSeedStepStreamAndElementAlone) {
  const Shape shape{4, 16, 5, 5};
  for (const backend::Backend* backend : backends()) {
    const Values mask = mask_of(*backend, {0.5, false, 3}, shape, 11, 7);
    const RandomStream random(11, mix64(3) + 7);
    for (size_t e = 0; e < mask.size(); ++e) ASSERT_EQ(mask[e] != 0, random.uniform(e) >= 0.5) << "element " << e;
    EXPECT_EQ(mask_of(*backend, {0.5, false, 3}, shape, 11, 7), mask);
    EXPECT_NE(mask_of(*backend, {0.5, false, 3}, shape, 12, 7), mask);
    EXPECT_NE(mask_of(*backend, {0.5, false, 3}, shape, 11, 8), mask);
    EXPECT_NE(mask_of(*backend, {0.5, false, 4}, shape, 11, 7), mask);
  }
}

}  // namespace
}  // namespace fovea::testing
