// Several labels a picture: metrics as scikit-learn has them, and whole runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "train/evaluation_json.h"
#include "train/metrics.h"

namespace fovea::training {
namespace {

using nlohmann::json;

TEST(LabelMetrics, AreThoseOfScikitLearn) {
  const json cases = json::parse(read_text(std::string(FOVEA_TEST_DATA) + "/train/label_metrics.json"));
  ASSERT_EQ(cases.size(), 3u);
  for (const json& one : cases) {
    const auto logits = one.at("logits").get<std::vector<std::vector<float>>>();
    const auto labels = one.at("labels").get<std::vector<std::vector<int32_t>>>();
    std::vector<std::string> classes;
    for (size_t c = 0; c < logits[0].size(); ++c) classes.push_back(std::to_string(c));
    Tally tally(classes, true);
    for (size_t i = 0; i < logits.size(); ++i) tally.add(logits[i], image::Sample{std::to_string(i), -1, "", labels[i]}, true);
    const Evaluation evaluation = evaluation_of(evaluation_json(tally.finish()));  // stored and read back
    EXPECT_EQ(evaluation.score.pictures, static_cast<int64_t>(logits.size()));
    EXPECT_NEAR(evaluation.score.accuracy, one.at("accuracy").get<double>(), 1e-12);
    EXPECT_NEAR(evaluation.loss, one.at("loss").get<double>(), 1e-12);
    ASSERT_TRUE(evaluation.score.labels);
    EXPECT_NEAR(evaluation.score.labels->mean_average_precision, one.at("mean_average_precision").get<double>(), 1e-12);
    EXPECT_NEAR(evaluation.score.labels->f1_macro, one.at("f1_macro").get<double>(), 1e-12);
    EXPECT_NEAR(evaluation.score.labels->f1_micro, one.at("f1_micro").get<double>(), 1e-12);
    for (size_t c = 0; c < classes.size(); ++c) {
      const json& precision = one.at("average_precision")[c];
      EXPECT_NEAR(evaluation.classes[c].average_precision, precision.is_null() ? -1 : precision.get<double>(), 1e-12);
      EXPECT_NEAR(evaluation.classes[c].f1, one.at("f1")[c].get<double>(), 1e-12);
    }
  }
}

TEST(LabelMetrics, AnOutcomeKeepsItsLabelsAndTheLeastCertainAnswer) {
  Tally tally({"a", "b", "c"}, true);
  tally.add(std::vector<float>{2, -0.5f, -3}, image::Sample{"x.png", -1, "", {0, 2}}, true);
  const Evaluation evaluation = tally.finish();
  ASSERT_EQ(evaluation.outcomes.size(), 1u);
  EXPECT_EQ(evaluation.outcomes[0].labels, (std::vector<int64_t>{0, 2}));
  EXPECT_NEAR(evaluation.outcomes[0].confidence, sigmoid(0.5), 1e-7);
  EXPECT_NEAR(evaluation.outcomes[0].probabilities[0], sigmoid(2), 1e-6);
  EXPECT_EQ(evaluation.score.accuracy, 0);
  EXPECT_TRUE(evaluation.confusion.empty());
}

}  // namespace
}  // namespace fovea::training
