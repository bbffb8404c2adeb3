// Folds and seeds: what they say together, and the same bits when they are interrupted.
#include "train/cross_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "base/atomic_file.h"
#include "base/json_value.h"
#include "train/metrics.h"
#include "train/small_run.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// As the library puts them together, on the small network.
TrainResult run_all(const fs::path& pictures, const TrainOptions& options) {
  Preprocessing preprocessing;
  preprocessing.height = preprocessing.width = kPictureSize;
  preprocessing.fit = Fit::squash;
  Data data = read_pictures(find_pictures(pictures.string()), options, preprocessing, true);
  const auto facts = [&](const Data& own) {
    return Facts{static_cast<int64_t>(own.splits.train.samples.size()), static_cast<int64_t>(own.splits.validation.samples.size()), true};
  };
  const auto network = [&] {
    return std::make_shared<engine::Network>(small_variant(), engine::NetworkForm{data.splits.train.classes}, preprocessing, 7);
  };
  const CrossValidation together = cross_validate(options, data, [&](PartialRun& one) -> std::optional<PartialResult> {
    Trainer trainer({network(), cpu::cpu_backend(), one.options, one.data, make_plan(one.options, facts(one.data))});
    const TrainResult result = trainer.run();
    if (result.interrupted) return std::nullopt;
    return PartialResult{result.test, trainer.tested()};
  });
  if (together.interrupted) {
    TrainResult result;
    result.interrupted = true;
    return result;
  }
  divide(data, options);
  return Trainer({network(), cpu::cpu_backend(), options, data, make_plan(options, facts(data)), &together}).run();
}

class CrossValidated : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("fovea_folds_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    draw_pictures(folder_ / "pictures", 9);
  }
  void TearDown() override { fs::remove_all(folder_); }

  TrainOptions options(const char* out) const {
    TrainOptions options;
    options.recipe = Recipe::full;
    options.optimizer.epochs = 4;
    options.optimizer.lr = 0.02;
    options.optimizer.batch_size = 4;
    options.run.seed = 5;
    options.data.folds = 3;
    options.run.out = out ? (folder_ / out).string() : "";
    return options;
  }
  fs::path pictures() const { return folder_ / "pictures"; }
  nlohmann::json metrics(const char* out) const { return nlohmann::json::parse(bytes_of(folder_ / out / "metrics.json")); }
  std::string message(const TrainOptions& options) const {
    try {
      run_all(pictures(), options);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  fs::path folder_;
};

TEST(Spreads, AreThoseOfTheTextbook) {
  const Spread spread = spread_of({0.8, 0.9, 0.85, 0.95, 0.75});
  EXPECT_DOUBLE_EQ(spread.mean, 0.85);
  EXPECT_NEAR(spread.deviation, 0.0790569415, 1e-9);
  EXPECT_NEAR(spread.high, 0.85 + 2.7764 * 0.0790569415 / std::sqrt(5.0), 1e-6);
  EXPECT_NEAR(spread.low + spread.high, 1.7, 1e-12);
  EXPECT_EQ(spread_of({0.5}).low, 0.5);
  // scipy.stats.t.ppf(0.975, n)
  EXPECT_NEAR(student_t(1), 12.7062, 1e-4);
  EXPECT_NEAR(student_t(30), 2.0423, 1e-4);
  EXPECT_NEAR(student_t(31), 2.039513, 1e-4);
  EXPECT_NEAR(student_t(99), 1.984217, 1e-4);
  const nlohmann::json json = spread_json(spread);
  EXPECT_EQ(json.at("accuracy").size(), 5u);
  EXPECT_EQ(json.at("accuracy_mean"), spread.mean);
  EXPECT_EQ(json.at("accuracy_std"), spread.deviation);
}

TEST_F(CrossValidated, EveryPictureIsTestedOnce) {
  const TrainResult result = run_all(pictures(), options("run"));
  ASSERT_TRUE(result.folds);
  EXPECT_FALSE(result.seeds);
  EXPECT_EQ(result.folds->values.size(), 3u);
  ASSERT_TRUE(result.out_of_fold);
  EXPECT_EQ(result.out_of_fold->outcomes.size(), 27u);
  EXPECT_NEAR(result.out_of_fold->score.accuracy, result.folds->mean, 1e-12);  // folds of one size
  std::set<std::string> files;
  int64_t confused = 0;
  for (const Outcome& outcome : result.out_of_fold->outcomes) files.insert(outcome.file);
  for (const auto& row : result.out_of_fold->confusion) confused += std::accumulate(row.begin(), row.end(), int64_t{0});
  EXPECT_EQ(files.size(), 27u);
  EXPECT_EQ(confused, 27);
  EXPECT_GE(result.folds->mean, 0.8);
  const nlohmann::json json = metrics("run");
  EXPECT_EQ(json.at("folds").at("accuracy").get<std::vector<double>>(), result.folds->values);
  EXPECT_EQ(json.at("folds").at("accuracy_mean"), result.folds->mean);
  EXPECT_TRUE(json.at("folds").contains("accuracy_std"));
  EXPECT_EQ(json.at("training_pictures").get<int64_t>() + json.at("validation").at("pictures").get<int64_t>(), 27);
  for (const char* name : {"fold-1/metrics.json", "fold-3/model.safetensors", "out_of_fold.csv", "model.safetensors"})
    EXPECT_TRUE(fs::exists(folder_ / "run" / name)) << name;
  // What is stored is what was seen.
  const auto stored = read_predictions(folder_ / "run/out_of_fold.csv", {"blue", "green", "red"}, false);
  ASSERT_EQ(stored.size(), 27u);
  for (size_t i = 0; i < stored.size(); ++i) {
    EXPECT_EQ(stored[i].file, result.out_of_fold->outcomes[i].file);
    EXPECT_EQ(stored[i].probabilities, result.out_of_fold->outcomes[i].probabilities);
  }
}

TEST_F(CrossValidated, InterruptedItEndsWithTheSameBits) {
  TrainOptions own = options("whole");
  own.recipe = Recipe::probe;
  own.data.seeds = 2;
  const TrainResult whole = run_all(pictures(), own);
  own.run.out = (folder_ / "pieces").string();
  int pieces = 0;
  for (;; ++pieces) {
    ASSERT_LT(pieces, 100);
    int calls = 0;
    own.run.progress = [&](const TrainProgress& step) {
      EXPECT_TRUE(step.runs == 7 || step.run == 0);
      return ++calls < 40;
    };
    if (!run_all(pictures(), own).interrupted) break;
    own.run.resume = true;
  }
  EXPECT_GT(pieces, 2);
  EXPECT_EQ(bytes_of(folder_ / "whole/model.safetensors"), bytes_of(folder_ / "pieces/model.safetensors"));
  EXPECT_EQ(bytes_of(folder_ / "whole/out_of_fold.csv"), bytes_of(folder_ / "pieces/out_of_fold.csv"));
  for (const char* part : {"folds", "seeds", "out_of_fold"}) EXPECT_EQ(metrics("whole").at(part), metrics("pieces").at(part)) << part;
  EXPECT_EQ(metrics("whole").at("folds").at("accuracy").size(), 6u);
  EXPECT_EQ(metrics("whole").at("seeds").at("accuracy").size(), 2u);
  EXPECT_TRUE(fs::exists(folder_ / "whole/seed-6/fold-2/metrics.json"));
  // Once more: nothing is left to do, and the same is said.
  own.run.progress = nullptr;
  const TrainResult again = run_all(pictures(), own);
  ASSERT_TRUE(again.folds && again.out_of_fold);
  EXPECT_EQ(again.folds->values, whole.folds->values);
  EXPECT_EQ(again.out_of_fold->loss, whole.out_of_fold->loss);
}

TEST_F(CrossValidated, SeedsWithATestShare) {
  TrainOptions own = options("run");
  own.data.folds = 0;
  own.data.seeds = 3;
  own.data.test = 0.3;
  const TrainResult result = run_all(pictures(), own);
  ASSERT_TRUE(result.seeds);
  EXPECT_FALSE(result.folds);
  EXPECT_EQ(result.seeds->values.size(), 3u);
  EXPECT_EQ(result.seeds->values[0], result.test.accuracy);
  EXPECT_EQ(metrics("run").at("seeds").at("accuracy").get<std::vector<double>>(), result.seeds->values);
  EXPECT_TRUE(fs::exists(folder_ / "run/seed-7/metrics.json"));
  EXPECT_FALSE(fs::exists(folder_ / "run/seed-5"));
}

TEST_F(CrossValidated, WhatCannotBeIsTold) {
  TrainOptions own = options(nullptr);
  own.data.folds = 10;
  EXPECT_THAT(message(own), HasSubstr("10 folds, but class \"blue\" has 9 pictures"));
  own.data.folds = 3;
  own.data.test = 0.2;
  EXPECT_THAT(message(own), HasSubstr("3 folds and a test share of 0.2"));
  own.data.folds = 0;
  own.data.test = 0;
  own.data.seeds = 2;
  EXPECT_THAT(message(own), HasSubstr("no picture is there to test"));
  write_text(folder_ / "list.csv", "file,true,predicted,confidence,a,b\nx,c,a,1,1,0\n");
  EXPECT_THROW(read_predictions(folder_ / "list.csv", {"a", "b"}, false), Error);
}

}  // namespace
}  // namespace fovea::training
