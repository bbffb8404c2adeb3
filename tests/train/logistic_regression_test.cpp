// Logistic regression against scikit-learn's solution (tests/data/train/generate_logistic_regression.py), and against itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/file.h"
#include "base/json_value.h"
#include "base/random.h"
#include "train/logistic_regression.h"

namespace fovea::training {
namespace {

struct Regression {
  std::vector<float> features, targets;
  std::vector<double> weights, coefficients, logits;
  LogisticData data;
  double lambda = 0;
};

Regression read_regression(const nlohmann::json& text) {
  Regression one;
  one.features = text.at("features").get<std::vector<float>>();
  one.targets = text.at("targets").get<std::vector<float>>();
  one.weights = text.at("weights").get<std::vector<double>>();
  one.coefficients = text.at("coefficients").get<std::vector<double>>();
  one.logits = text.at("logits").get<std::vector<double>>();
  one.data = {text.at("rows"),
              text.at("width"),
              text.at("classes"),
              rows_in(one.features, text.at("width")),
              rows_in(one.targets, text.at("classes")),
              one.weights,
              text.at("binary") ? Likelihood::binary : Likelihood::softmax};
  one.lambda = text.at("lambda");
  return one;
}

std::vector<double> logits_of(const LogisticRegression& regression, const LogisticRegression::Solution& solution,
                              const LogisticData& data) {
  const auto [weight, bias] = regression.linear(solution);
  std::vector<double> result;
  for (int64_t i = 0; i < data.rows; ++i)
    for (int64_t k = 0; k < data.classes; ++k) {
      double sum = bias[static_cast<size_t>(k)];
      for (int64_t j = 0; j < data.width; ++j)
        sum += weight[static_cast<size_t>(k * data.width + j)] * static_cast<double>(data.features(i, 1)[static_cast<size_t>(j)]);
      result.push_back(sum);
    }
  return result;
}

// Random rows of `classes` kinds.
struct Sample {
  std::vector<float> features, targets;
  LogisticData data;

  Sample(int64_t rows, int64_t width, int64_t classes) {
    const RandomStream random(7, "rows");
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < width; ++j)
        features.push_back(static_cast<float>(random.normal(static_cast<uint64_t>(i * width + j)) + (j % classes == i % classes ? 1 : 0)));
      for (int64_t k = 0; k < classes; ++k) targets.push_back(k == i % classes ? 1.0f : 0.0f);
    }
    data = {rows, width, classes, rows_in(features, width), rows_in(targets, classes), {}, Likelihood::softmax};
  }
};

TEST(LogisticRegression, EqualsScikitLearn) {
  const auto cases = nlohmann::json::parse(read_text(std::string(FOVEA_TEST_DATA) + "/train/logistic_regression.json"));
  ASSERT_EQ(cases.size(), 5u);
  for (const auto& text : cases) {
    SCOPED_TRACE(text.at("name").get<std::string>());
    const Regression one = read_regression(text);
    const LogisticRegression regression(one.data);
    EXPECT_LE(regression.rank(), std::min(one.data.rows - 1, one.data.width));
    const auto solution = regression.solve(one.lambda, {.tolerance = 1e-10});
    const auto [weight, bias] = regression.linear(solution);
    double largest = 0, apart = 0;
    for (double value : one.coefficients) largest = std::max(largest, std::abs(value));
    for (size_t i = 0; i < weight.size(); ++i) apart = std::max(apart, std::abs(weight[i] - one.coefficients[i]));
    EXPECT_LT(apart, 1e-5 * largest);
    // A line search on values ends where the loss's own rounding (1e-16 of it, so 1e-8 of the unknowns beside the weakest curvature)
    // begins.
    const double close = 5e-6 * std::abs(*std::max_element(one.logits.begin(), one.logits.end(),
                                                           [](double a, double b) { return std::abs(a) < std::abs(b); }));
    // Softmax leaves a constant in the intercepts open.
    const std::vector<double> logits = logits_of(regression, solution, one.data);
    const auto classes = static_cast<size_t>(one.data.classes);
    for (size_t i = 0; i < logits.size(); i += classes) {
      const double shift = one.data.likelihood == Likelihood::binary ? 0 : logits[i] - one.logits[i];
      for (size_t k = 0; k < classes; ++k) EXPECT_NEAR(logits[i + k] - shift, one.logits[i + k], close) << "row " << i / classes;
    }
  }
}

TEST(LogisticRegression, ASubsetIsTheProblemOfItsRowsAlone) {
  const Sample all(30, 40, 3);
  const int64_t few = 18;
  std::vector<int64_t> rows(few);
  std::iota(rows.begin(), rows.end(), int64_t{0});
  LogisticData own = all.data;
  own.rows = few;
  const LogisticRegression whole(all.data), alone(own);
  const auto a = whole.solve(0.01, {.rows = rows, .tolerance = 1e-10}), b = alone.solve(0.01, {.tolerance = 1e-10});
  EXPECT_NEAR(a.loss, b.loss, 1e-9);
  const auto first = logits_of(whole, a, all.data), second = logits_of(alone, b, all.data);
  for (size_t i = 0; i < first.size(); i += 3)
    for (size_t k = 1; k < 3; ++k) EXPECT_NEAR(first[i + k] - first[i], second[i + k] - second[i], 1e-5);
}

TEST(LogisticRegression, CoordinatesGiveTheSameLogitsAsFeatures) {
  const Sample sample(20, 30, 3);
  const LogisticRegression regression(sample.data);
  const auto solution = regression.solve(0.1, {});
  const auto expected = logits_of(regression, solution, sample.data);
  const auto places = regression.coordinates(20, sample.data.features);
  const int64_t rank = regression.rank();
  std::vector<double> logits(3);
  for (int64_t i = 0; i < 20; ++i) {
    regression.logits(solution, places.part(i * rank, rank), logits);
    for (size_t k = 0; k < 3; ++k) EXPECT_NEAR(logits[k], expected[3 * static_cast<size_t>(i) + k], 1e-8);
  }
}

// More rows than are taken at a time, on memory and on files.
TEST(LogisticRegression, WhereItsRowsLieChangesNoBit) {
  const Sample sample(kRowsAtOnce + 300, 5, 3);
  const LogisticRegression held(sample.data), spilled(sample.data, Spill(0, testing::TempDir()));
  EXPECT_EQ(held.mean_square(), spilled.mean_square());
  EXPECT_EQ(held.solve(0.01, {}).values, spilled.solve(0.01, {}).values);
  std::vector<int64_t> odd;
  for (int64_t i = 1; i < sample.data.rows; i += 2) odd.push_back(i);
  EXPECT_EQ(held.solve(0.01, {.rows = odd}).values, spilled.solve(0.01, {.rows = odd}).values);
}

// Stretch by stretch the sums are those of all rows together, but for rounding.
TEST(LogisticRegression, ManyRowsAreSolvedAsTheSameRowsOnce) {
  const Sample few(512, 5, 3);
  Sample many = few;
  for (int i = 1; i < 10; ++i) {
    many.features.insert(many.features.end(), few.features.begin(), few.features.end());
    many.targets.insert(many.targets.end(), few.targets.begin(), few.targets.end());
  }
  many.data = {10 * few.data.rows, 5, 3, rows_in(many.features, 5), rows_in(many.targets, 3), {}, Likelihood::softmax};
  ASSERT_GT(many.data.rows, kRowsAtOnce);
  const LogisticRegression a(few.data), b(many.data);
  const auto once = a.solve(0.01, {.tolerance = 1e-9}), often = b.solve(0.01, {.tolerance = 1e-9});
  EXPECT_NEAR(once.loss, often.loss, 1e-10);
  const auto first = logits_of(a, once, few.data), second = logits_of(b, often, few.data);
  for (size_t i = 0; i < first.size(); ++i) EXPECT_NEAR(first[i], second[i], 1e-5);
}

TEST(LogisticRegression, StartsFromAnotherSolutionAndEndsInTheSame) {
  const Sample sample(24, 40, 4);
  const LogisticRegression regression(sample.data);
  const auto strong = regression.solve(1.0, {});
  const auto cold = regression.solve(0.1, {.tolerance = 1e-9}), warm = regression.solve(0.1, {.tolerance = 1e-9, .start = &strong});
  EXPECT_NEAR(cold.loss, warm.loss, 1e-10);
  EXPECT_LE(warm.steps, cold.steps);
}

TEST(LogisticRegression, RowsAllAlikeLeaveTheShares) {
  std::vector<float> features(8, 2.0f), targets{1, 0, 1, 0, 1, 0, 0, 1};
  const LogisticRegression regression({4, 2, 2, rows_in(features, 2), rows_in(targets, 2), {}, Likelihood::softmax});
  EXPECT_EQ(regression.rank(), 0);
  const auto [weight, bias] = regression.linear(regression.solve(0.1, {}));
  EXPECT_NEAR(bias[0] - bias[1], std::log(3.0), 1e-5);
  EXPECT_THAT(weight, testing::Each(0.0));
}

TEST(LogisticRegression, ConvergesOnFeaturesOfVeryDifferentSize) {
  Sample sample(40, 60, 3);
  for (size_t i = 0; i < sample.features.size(); ++i) sample.features[i] *= std::pow(10.0f, static_cast<float>(i % 7) - 3);
  const LogisticRegression regression(sample.data);
  const auto solution = regression.solve(1e-8 * regression.mean_square(), {});
  EXPECT_LT(solution.steps, 300);
  EXPECT_LT(solution.loss, 0.1);  // separable
}

}  // namespace
}  // namespace fovea::training
