#include "nn/init.h"

#include <fovea/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace fovea {
namespace {

State state(const char* name, std::vector<int64_t> shape, Init init) {
  return {.name = name, .value = {}, .next = {}, .role = StateRole::parameter, .stored_shape = std::move(shape), .init = init};
}

struct Moments {
  double mean = 0, deviation = 0;
  float least = 0, most = 0;
};

Moments moments(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  Moments result;
  for (float value : values) result.mean += value;
  result.mean /= static_cast<double>(values.size());
  for (float value : values) result.deviation += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(result.deviation / static_cast<double>(values.size()));
  result.least = *std::ranges::min_element(values);
  result.most = *std::ranges::max_element(values);
  return result;
}

// 100,000 numbers: the mean of such a sample lies within 4 of its own standard deviations, 0.0127, of 0.
constexpr int64_t kCount = 100000;

TEST(Init, DrawsTheDistributions) {
  const Moments normal = moments(initialize(state("n", {kCount}, normal_init(2)), 1));
  EXPECT_NEAR(normal.mean, 0, 2 * 0.0127);
  EXPECT_NEAR(normal.deviation, 2, 0.02);
  EXPECT_GT(normal.most, 6);

  const Moments uniform = moments(initialize(state("u", {kCount}, uniform_init(0.5)), 1));
  EXPECT_NEAR(uniform.mean, 0, 0.0127);
  EXPECT_NEAR(uniform.deviation, 0.5 / std::sqrt(3.0), 0.003);
  EXPECT_GE(uniform.least, -0.5f);
  EXPECT_LE(uniform.most, 0.5f);

  // Cut at 2, one standard deviation here: the standard deviation of what remains is 0.5396 of the whole.
  const Moments cut = moments(initialize(state("t", {kCount}, {Init::Kind::truncated_normal, 2}), 1));
  EXPECT_NEAR(cut.deviation, 2 * 0.5396, 0.01);
  EXPECT_GE(cut.least, -2.0f);
  EXPECT_LE(cut.most, 2.0f);

  const Moments constant = moments(initialize(state("c", {7}, constant_init(3)), 1));
  EXPECT_EQ(constant.least, 3);
  EXPECT_EQ(constant.most, 3);
}

TEST(Init, DependsOnSeedAndNameAlone) {
  const State a = state("layer.weight", {64, 1000}, normal_init(1));
  const auto bytes = [](const Tensor& t) { return std::vector<float>(t.values<float>().begin(), t.values<float>().end()); };
  const int before = threads();
  set_threads(1);
  const auto alone = bytes(initialize(a, 5));
  set_threads(3);
  EXPECT_EQ(bytes(initialize(a, 5)), alone);
  set_threads(before);
  EXPECT_NE(bytes(initialize(a, 6)), alone);
  EXPECT_NE(bytes(initialize(state("layer.bias", {64, 1000}, normal_init(1)), 5)), alone);
}

TEST(Init, HasTheStoredShapeAndType) {
  const Tensor counter = initialize(state("bn.num_batches_tracked", {}, constant_init(0)), 0, DType::i64);
  EXPECT_EQ(counter.shape(), std::vector<int64_t>{});
  EXPECT_EQ(counter.values<int64_t>()[0], 0);
  const Tensor doubles = initialize(state("w", {3, 4}, normal_init(1)), 0, DType::f64);
  EXPECT_EQ(doubles.values<double>().size(), 12u);
  EXPECT_THROW(initialize(state("w", {3}, normal_init(1)), 0, DType::i64), Error);
  EXPECT_THROW(initialize(state("w", {3}, constant_init(1)), 0, DType::u8), Error);
}

}  // namespace
}  // namespace fovea
