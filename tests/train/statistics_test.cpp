// Intervals, calibration and the worst mistakes, by hand and by what SciPy gives.
#include "train/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/evaluation_json.h"

namespace fovea::training {
namespace {

Outcome outcome(int64_t label, int64_t predicted, double confidence) {
  return {"a.png", label, predicted, confidence, {}, {}, label == predicted ? confidence : 1 - confidence};
}

// scipy.stats.binomtest(correct, pictures).proportion_ci(method="wilson")
TEST(Statistics, WilsonsIntervalIsThatOfScipy) {
  const struct {
    int64_t correct, pictures;
    double low, high;
  } rows[] = {{50, 60, 0.7196838684, 0.9068682302},
              {0, 10, 0, 0.2775327999},
              {10, 10, 0.7224672001, 1},
              {1, 2, 0.0945312057, 0.9054687943},
              {812, 1000, 0.7866068126, 0.8350052901}};
  for (const auto& row : rows) {
    const Interval interval = wilson_interval(row.correct, row.pictures);
    EXPECT_NEAR(interval.low, row.low, 1e-9) << row.correct << " of " << row.pictures;
    EXPECT_NEAR(interval.high, row.high, 1e-9) << row.correct << " of " << row.pictures;
  }
  EXPECT_EQ(wilson_interval(0, 10).low, 0);
  EXPECT_EQ(wilson_interval(10, 10).high, 1);
  EXPECT_EQ(wilson_interval(0, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

TEST(Statistics, CalibrationCountsEachPictureInItsBin) {
  // Bins: 0.05 and 0.1 in the first, 0.15 in the second, 0.95 (twice) and 1 in the last.
  const std::vector<Outcome> outcomes{outcome(0, 0, 0.05), outcome(0, 1, 0.1),  outcome(0, 1, 0.15),
                                      outcome(1, 1, 0.95), outcome(1, 0, 0.95), outcome(1, 1, 1)};
  const Calibration calibration = calibration_of(outcomes);
  ASSERT_EQ(calibration.bins.size(), 10u);
  EXPECT_EQ(calibration.bins[0].pictures, 2);
  EXPECT_EQ(calibration.bins[1].pictures, 1);
  EXPECT_EQ(calibration.bins[9].pictures, 3);
  EXPECT_DOUBLE_EQ(calibration.bins[0].confidence, 0.075);
  EXPECT_DOUBLE_EQ(calibration.bins[0].accuracy, 0.5);
  EXPECT_DOUBLE_EQ(calibration.bins[9].accuracy, 2.0 / 3);
  EXPECT_DOUBLE_EQ(calibration.expected_error, (2 * (0.5 - 0.075) + 0.15 + 3 * (2.9 / 3 - 2.0 / 3)) / 6);
  EXPECT_EQ(calibration_of({}).expected_error, 0);
}

TEST(Statistics, TheWorstMistakesAreTheMostConfidentOnes) {
  const std::vector<Outcome> outcomes{outcome(0, 1, 0.6), outcome(0, 0, 0.99), outcome(1, 0, 0.9), outcome(2, 1, 0.6)};
  EXPECT_THAT(worst_mistakes(outcomes, 24), testing::ElementsAre(2, 0, 3));
  EXPECT_THAT(worst_mistakes(outcomes, 2), testing::ElementsAre(2, 0));
  EXPECT_THAT(worst_mistakes({}, 24), testing::IsEmpty());
}

TEST(Statistics, AnEvaluationComesBackFromItsJsonWithItsOutcomes) {
  Evaluation evaluation;
  evaluation.score = {0.5, 4};
  evaluation.classes = {{"a", 2, 1}, {"b", 2, 1}, {"c", 0, 0}};
  evaluation.confusion = {{1, 1, 0}, {1, 1, 0}, {0, 0, 0}};
  evaluation.outcomes = {outcome(0, 0, 0.7), outcome(0, 1, 0.8), outcome(1, 1, 0.6), outcome(1, 0, 0.9)};
  const nlohmann::json text = evaluation_json(evaluation);
  EXPECT_EQ(evaluation_json(evaluation_of(text)), text);
  EXPECT_TRUE(text.at("classes").at(2).at("accuracy").is_null());
  EXPECT_EQ(text.at("worst_mistakes").size(), 2u);
  EXPECT_EQ(text.at("worst_mistakes").at(0).at("confidence"), 0.9);
  EXPECT_NEAR(text.at("interval").at(0).get<double>(), wilson_interval(2, 4).low, 0);
}

TEST(Statistics, OfSeveralLabelsTheSurestWrongAnswerCounts) {
  const Outcome right{"a.png", -1, -1, 0.6, {0.9f, 0.4f, 0.1f}, {0}}, missed{"b.png", -1, -1, 0.6, {0.9f, 0.25f, 0.6f}, {0, 1}};
  EXPECT_FALSE(wrong_answer(right));
  ASSERT_TRUE(wrong_answer(missed));  // 1 is missed with 0.75, 2 is claimed with 0.6
  EXPECT_EQ(wrong_answer(missed)->class_index, 1);
  EXPECT_DOUBLE_EQ(wrong_answer(missed)->confidence, 0.75);
  Evaluation evaluation;
  evaluation.score = {0.5, 2, LabelScores{0.7, 0.6, 0.65}};
  evaluation.classes = {{"a", 2, 2, 1, 1}, {"b", 1, 0, 0.5, 0}, {"c", 0, 0}};
  evaluation.outcomes = {right, missed};
  const nlohmann::json text = evaluation_json(evaluation);
  EXPECT_EQ(evaluation_json(evaluation_of(text)), text);
  ASSERT_EQ(text.at("worst_mistakes").size(), 1u);
  EXPECT_EQ(text.at("worst_mistakes").at(0).at("wrong_class"), 1);
  EXPECT_FALSE(text.contains("calibration"));
}

}  // namespace
}  // namespace fovea::training
