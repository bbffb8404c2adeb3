// Several labels a picture: metrics as scikit-learn has them, and whole runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/file.h"
#include "base/json_value.h"
#include "train/evaluation_json.h"
#include "train/metrics.h"
#include "train/small_run.h"
#include "weights/model_file.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;
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

// Pictures whose red, green and blue parts are lit or not: a label each.
class Labels : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("fovea_labels_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    std::string csv = "file,labels\n";
    for (unsigned i = 0; i < 48; ++i) {
      const std::string name = std::to_string(i) + ".bmp";
      draw_picture(folder_ / name, {i & 1 ? 1.0 : 0.2, i & 2 ? 1.0 : 0.2, i & 4 ? 1.0 : 0.2}, i + 1);
      csv += name + "," + (i & 1 ? "blue;" : "") + (i & 2 ? "green;" : "") + (i & 4 ? "red" : "") + "\n";
    }
    write_text(folder_ / "labels.csv", csv);
  }
  void TearDown() override { fs::remove_all(folder_); }

  TrainOptions options(Recipe recipe, const char* out) const {
    TrainOptions options;
    options.recipe = recipe;
    options.optimizer.epochs = 15;
    options.optimizer.batch_size = 8;
    options.optimizer.lr = 0.03;
    options.data.test = 0.25;
    options.run.seed = 5;
    options.run.out = out ? (folder_ / out).string() : "";
    return options;
  }
  fs::path csv() const { return folder_ / "labels.csv"; }

  fs::path folder_;
};

TEST_F(Labels, EveryRecipeLearnsThem) {
  for (Recipe recipe : {Recipe::probe, Recipe::finetune, Recipe::full}) {
    TrainOptions own = options(recipe, "run");
    if (recipe == Recipe::finetune) own.optimizer.lr = 0.01;  // from a head that is solved for already
    const SmallRun run = run_small(csv(), own);
    ASSERT_TRUE(run.result.test.labels) << to_string(recipe);
    EXPECT_GE(run.result.test.labels->mean_average_precision, 0.85) << to_string(recipe);
    ASSERT_TRUE(run.result.validation.labels);
    EXPECT_EQ(run.result.test.pictures, 12);
    const json metrics = json::parse(bytes_of(folder_ / "run/metrics.json"));
    for (const char* part : {"validation", "test"}) {
      for (const char* name : {"accuracy", "mean_average_precision", "f1_macro", "f1_micro"})
        EXPECT_TRUE(metrics.at(part).contains(name)) << part << " " << name;
      EXPECT_TRUE(metrics.at(part).at("classes")[0].contains("average_precision"));
    }
    EXPECT_TRUE(weights::read_model_file(folder_ / "run/model.safetensors").head.independent);
    fs::remove_all(folder_ / "run");
  }
}

TEST_F(Labels, InterruptedItEndsWithTheSameBits) {
  for (Recipe recipe : {Recipe::probe, Recipe::full}) {
    TrainOptions own = options(recipe, "whole");
    own.optimizer.epochs = 3;
    own.data.balanced_sampling = true;
    run_small(csv(), own);
    own.run.out = (folder_ / "pieces").string();
    int pieces = 0;
    for (;; ++pieces) {
      ASSERT_LT(pieces, 50);
      int calls = 0;
      own.run.progress = [&](const TrainProgress&) { return ++calls < 7; };
      if (!run_small(csv(), own).result.interrupted) break;
      own.run.resume = true;
    }
    EXPECT_GT(pieces, 0);
    EXPECT_EQ(bytes_of(folder_ / "whole/model.safetensors"), bytes_of(folder_ / "pieces/model.safetensors")) << to_string(recipe);
    EXPECT_EQ(json::parse(bytes_of(folder_ / "whole/metrics.json")).at("test"),
              json::parse(bytes_of(folder_ / "pieces/metrics.json")).at("test"));
    fs::remove_all(folder_ / "whole");
    fs::remove_all(folder_ / "pieces");
  }
}

TEST_F(Labels, CrossEntropyIsRefused) {
  TrainOptions own = options(Recipe::full, nullptr);
  own.regularization.loss = Loss::cross_entropy;
  try {
    run_small(csv(), own);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("cross entropy needs one label a picture"));
  }
  own.regularization.loss = Loss::focal;
  own.regularization.class_weights = true;
  EXPECT_TRUE(run_small(csv(), own).result.test.labels);
}

}  // namespace
}  // namespace fovea::training
