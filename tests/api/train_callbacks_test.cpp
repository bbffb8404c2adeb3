// What a caller can say while a training goes on: stop, cancel, measure, throw; rates and augmentation of one's own; where lines go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "api/small_pictures.h"
#include "support/files.h"

namespace fovea {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::StartsWith;

class Callbacks : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("fovea_callbacks_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  TrainOptions options(const std::string& out = {}, Recipe recipe = Recipe::full) const {
    TrainOptions options;
    options.recipe = recipe;
    options.optimizer.epochs = 5;
    options.optimizer.batch_size = 4;
    options.data.test = 0.2;
    options.run.seed = 5;
    if (!out.empty()) options.run.out = (folder_ / out).string();
    return options;
  }
  std::string model_in(const std::string& out) const { return contents_of(folder_ / out / "model.safetensors"); }

  const Dataset data_ = Dataset::from_memory(examples(11));
  std::filesystem::path folder_;
};

// A kill while a frozen part is computed loses as little as one within an epoch.
TEST_F(Callbacks, FeaturesThatAreThereAreNotComputedAgain) {
  TrainOptions prefix = options();
  prefix.freeze = "stem";
  prefix.augmentation.policy = Augment::off;
  prefix.data.feature_cache = FeatureCache::memory;
  for (TrainOptions own : {options({}, Recipe::probe), prefix}) {
    own.run.checkpoint_seconds = 0;
    own.run.out = (folder_ / "whole").string();
    own.run.overwrite = true;
    Model whole = small_colour_model(), model = small_colour_model();
    train(whole, data_, own);

    own.run.out = (folder_ / "stopped").string();
    std::vector<std::string> notes;
    own.run.note = [&](const std::string& line) { notes.push_back(line); };
    own.run.progress = [](const TrainProgress& step) { return step.phase != "features" || step.step < 1; };
    EXPECT_TRUE(train(model, data_, own).interrupted);
    const auto journals = [&] {
      int found = 0;
      for (const char* stopped : {"stopped", "stopped.new"})
        if (std::filesystem::exists(folder_ / stopped))
          for (const auto& entry : std::filesystem::directory_iterator(folder_ / stopped))
            found += entry.path().filename().string().starts_with("features-");
      return found;
    };
    EXPECT_EQ(journals(), 1);
    Model again = small_colour_model();
    own.run.progress = nullptr;
    own.run.resume = true;
    train(again, data_, own);
    EXPECT_THAT(notes, Contains(StartsWith("the features of 16 of ")));
    EXPECT_EQ(model_in("stopped"), model_in("whole"));
    EXPECT_EQ(journals(), 0);
  }
}

TEST_F(Callbacks, EveryEpochAndStepIsTold) {
  TrainOptions own = options();
  std::vector<EpochRow> rows;
  int steps = 0;
  own.run.on_epoch = [&](const EpochRow& row) {
    rows.push_back(row);
    return true;
  };
  own.run.on_step = [&](const TrainProgress& step) {
    ++steps;
    EXPECT_EQ(step.phase, "all");
    return true;
  };
  Model model = small_colour_model();
  const TrainResult result = train(model, data_, own);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(steps, 5 * 5);  // 21 pictures in batches of 4, the last one joined to the batch before
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].epoch, static_cast<int64_t>(i) + 1);
    EXPECT_EQ(rows[i].train_loss, result.history[i].train_loss);
    EXPECT_EQ(rows[i].validation_loss, result.history[i].validation_loss);
  }
}

TEST_F(Callbacks, AnEpochThatEndsTheRunIsItsLastAndTheRunIsWhole) {
  TrainOptions own = options("ended");
  own.run.on_epoch = [](const EpochRow& row) { return row.epoch < 2; };
  std::vector<std::string> lines;
  own.run.note = [&](const std::string& line) { lines.push_back(line); };
  Model model = small_colour_model();
  const TrainResult result = train(model, data_, own);
  EXPECT_FALSE(result.interrupted);
  EXPECT_EQ(result.epochs, 2);
  EXPECT_EQ(result.test.pictures, 6);
  EXPECT_THAT(lines, Contains("ended by the caller after epoch 2"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "ended" / "report.html"));
  // The same weights as after two epochs of the same training, the better of which was kept.
  std::map<std::string, Tensor> kept;
  double best = -1, loss = 0;
  own = options();
  Model other = small_colour_model();
  own.run.on_epoch = [&](const EpochRow& row) {
    if (row.epoch <= 2 && (*row.validation_accuracy > best || (*row.validation_accuracy == best && *row.validation_loss < loss))) {
      best = *row.validation_accuracy;
      loss = *row.validation_loss;
      kept.clear();
      for (const auto& [name, tensor] : other.state_dict()) kept.emplace(name, tensor.clone());
    }
    return true;
  };
  train(other, data_, own);
  for (const auto& [name, tensor] : model.state_dict())
    EXPECT_EQ(std::memcmp(tensor.raw(), kept.at(name).raw(), tensor.bytes()), 0) << name;
}

TEST_F(Callbacks, AStepThatEndsTheRunIsValidated) {
  TrainOptions own = options();
  own.run.on_step = [](const TrainProgress& step) { return step.epoch < 2 || step.step < 3; };
  Model model = small_colour_model();
  const TrainResult result = train(model, data_, own);
  EXPECT_FALSE(result.interrupted);
  ASSERT_EQ(result.history.size(), 2u);
  EXPECT_TRUE(result.history[1].validation_loss.has_value());
  EXPECT_EQ(result.test.pictures, 6);
}

TEST_F(Callbacks, ATokenCancelsFromAnotherThreadAndTheRunGoesOnLater) {
  Model expected = small_colour_model();
  train(expected, data_, options("whole"));
  std::stop_source source;
  TrainOptions own = options("cancelled");
  own.run.cancel = source.get_token();
  std::thread other;
  own.run.on_step = [&](const TrainProgress& step) {
    if (step.epoch == 2 && step.step == 2) {
      other = std::thread([&] { source.request_stop(); });
      other.join();
    }
    return true;
  };
  Model model = small_colour_model();
  EXPECT_TRUE(train(model, data_, own).interrupted);
  own.run.on_step = nullptr;
  own.run.resume = true;
  EXPECT_TRUE(train(model, data_, own).interrupted);  // before any picture is looked at
  own.run.cancel = {};
  Model again = small_colour_model();
  EXPECT_FALSE(train(again, data_, own).interrupted);
  EXPECT_EQ(model_in("cancelled"), model_in("whole"));
}

TEST_F(Callbacks, WhatTheyThrowArrivesAndTheRunGoesOnLater) {
  Model expected = small_colour_model();
  train(expected, data_, options("whole"));
  int run = 0;
  const auto thrown = [&](auto&& arm) {
    const std::string out = "thrown " + std::to_string(++run);
    TrainOptions own = options(out);
    arm(own);
    Model model = small_colour_model();
    EXPECT_THROW(train(model, data_, own), std::domain_error) << out;
    for (const auto& [name, tensor] : model.state_dict()) EXPECT_FALSE(name.starts_with("adamw")) << name;
    own = options(out);
    own.run.resume = true;
    Model again = small_colour_model();
    EXPECT_FALSE(train(again, data_, own).interrupted) << out;
    EXPECT_EQ(model_in(out), model_in("whole")) << out;
  };
  thrown([](TrainOptions& own) {
    own.run.on_epoch = [](const EpochRow& row) -> bool { return row.epoch < 3 || (throw std::domain_error("epoch"), true); };
  });
  thrown([](TrainOptions& own) {
    own.run.on_step = [](const TrainProgress& step) -> bool {
      return step.epoch < 2 || step.step < 2 || (throw std::domain_error("step"), true);
    };
  });
  thrown([](TrainOptions& own) {
    own.run.progress = [](const TrainProgress& step) -> bool { return step.epoch < 2 || (throw std::domain_error("progress"), true); };
  });
  thrown([](TrainOptions& own) {
    own.run.metrics["wrong"] = [calls = 0](const Evaluation&) mutable -> double {
      return ++calls < 2 ? 0 : throw std::domain_error("metric");
    };
  });
}

TEST_F(Callbacks, OwnMetricsAreInHistoryFilesAndPage) {
  TrainOptions own = options("measured");
  own.optimizer.epochs = 2;
  own.run.metrics["reds, found"] = [](const Evaluation& evaluation) {
    return static_cast<double>(evaluation.classes[2].correct) / static_cast<double>(evaluation.classes[2].pictures);
  };
  own.run.metrics["surest"] = [](const Evaluation& evaluation) {
    double most = 0;
    for (const Outcome& outcome : evaluation.outcomes) most = std::max(most, outcome.confidence);
    return most;
  };
  std::vector<double> told;
  own.run.on_epoch = [&](const EpochRow& row) {
    told.push_back(row.metrics.at("surest"));
    return true;
  };
  Model model = small_colour_model();
  const TrainResult result = train(model, data_, own);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(result.history[1].metrics.at("surest"), told[1]);
  EXPECT_GT(told[0], 1.0 / 3);
  EXPECT_LE(told[0], 1);
  const std::string csv = contents_of(folder_ / "measured" / "history.csv");
  EXPECT_THAT(csv, StartsWith("epoch,phase,train_loss,train_accuracy,validation_loss,validation_accuracy,\"reds, found\",surest,rate,"));
  EXPECT_THAT(contents_of(folder_ / "measured" / "metrics.json"), HasSubstr("\"surest\""));
  EXPECT_THAT(contents_of(folder_ / "measured" / "report.html"), HasSubstr("surest over epochs"));
}

TEST_F(Callbacks, ARateOfOnesOwnIsTheRateOfTheStep) {
  // A constant rate, written by hand, gives what the schedule constant gives.
  TrainOptions constant = options("constant");
  constant.optimizer.schedule = RateSchedule::constant;
  constant.optimizer.warmup = 0;
  constant.optimizer.lr = 0.004;
  Model expected = small_colour_model();
  train(expected, data_, constant);
  TrainOptions own = options("own");
  std::set<int64_t> steps;
  own.optimizer.lr_of_step = [&](int64_t step, int64_t all) {
    EXPECT_EQ(all, 25);
    steps.insert(step);
    return 0.004;
  };
  Model model = small_colour_model();
  train(model, data_, own);
  EXPECT_EQ(model_in("own"), model_in("constant"));
  EXPECT_EQ(steps.size(), 25u);
  EXPECT_EQ(*steps.rbegin(), 24);
}

TEST_F(Callbacks, AnAugmentationOfOnesOwnTakesThePlaceOfFoveas) {
  TrainOptions plain = options("plain");
  plain.augmentation.policy = Augment::off;
  Model expected = small_colour_model();
  train(expected, data_, plain);
  TrainOptions own = options("same");
  std::atomic<int> calls{0};
  own.augmentation.of_picture = [&](const Image& picture, uint64_t) {
    ++calls;
    return picture;
  };
  Model model = small_colour_model();
  train(model, data_, own);
  EXPECT_EQ(model_in("same"), model_in("plain"));
  EXPECT_GE(calls, 5 * 21);
  // Random numbers are the picture's and the epoch's: twice the same run, whoever draws.
  own.augmentation.of_picture = [](const Image& picture, uint64_t random) {
    Image changed = picture;
    for (uint8_t& value : changed.pixels) value = static_cast<uint8_t>(value / 2 + random % 100);
    return changed;
  };
  for (const char* out : {"drawn", "drawn again"}) {
    own.run.out = (folder_ / out).string();
    Model drawn = small_colour_model();
    train(drawn, data_, own);
  }
  EXPECT_EQ(model_in("drawn"), model_in("drawn again"));
  EXPECT_NE(model_in("drawn"), model_in("plain"));
  own.augmentation.stored_views = 2;
  own.run.overwrite = true;
  EXPECT_THAT(message_of_error([&] { train(model, data_, own); }), HasSubstr("2 stored views and an augmentation of the caller's own"));
}

TEST_F(Callbacks, LinesGoToTheSink) {
  std::vector<std::string> lines;
  set_log_sink([&](std::string_view topic, std::string_view text) { lines.push_back(std::string(topic) + "|" + std::string(text)); },
               "kernels");
  Model model = small_colour_model();
  TrainOptions own = options();
  own.optimizer.epochs = 1;
  train(model, data_, own);
  EXPECT_THAT(lines, Contains(StartsWith("train|recipe full: asked for")));
  EXPECT_THAT(lines, Contains(StartsWith("kernels|")));
  // A note has them for itself; without a sink nobody has.
  size_t notes = 0;
  own.run.note = [&](const std::string&) { ++notes; };
  std::erase_if(lines, [](const std::string& line) { return line.starts_with("train|"); });
  train(model, data_, own);
  EXPECT_GT(notes, 0u);
  EXPECT_THAT(lines, testing::Not(Contains(StartsWith("train|"))));
  set_log_sink({});
  const size_t before = lines.size();
  own.run.note = {};
  train(model, data_, own);
  EXPECT_EQ(lines.size(), before);
}

}  // namespace
}  // namespace fovea
