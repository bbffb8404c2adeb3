// Event files as TensorBoard's own reader has them (scripts/get_tensorboard.sh), of runs that were stopped and killed on the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "base/json_value.h"
#include "train/event_log.h"
#include "train/small_run.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;

class Events : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("fovea_events_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path log() const { return folder_ / "log"; }
  std::string log_bytes() const { return bytes_of(log() / "events.out.tfevents.fovea"); }

  fs::path folder_;
};

TEST(Crc32c, GivesTheValuesOfRfc3720) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
}

TEST_F(Events, ARecordIsFramed) {
  const std::string record = tf_record("abc");
  ASSERT_EQ(record.size(), 8u + 4 + 3 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\3\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 3), "abc");
}

TEST_F(Events, WhatCameAfterTheCheckpointIsCutOff) {
  EventPosition position;
  {
    EventLog log(folder_ / "log", position);
    log.scalar("loss", 1, 0.5);
    position.bytes = log.flush();
    log.scalar("loss", 2, 0.25);
    log.flush();  // and the process dies
  }
  const std::string both = log_bytes();
  ASSERT_GT(both.size(), static_cast<size_t>(position.bytes));
  EventLog again(log(), position);
  EXPECT_EQ(log_bytes(), both.substr(0, static_cast<size_t>(position.bytes)));
  again.scalar("loss", 2, 0.25);
  EXPECT_EQ(again.flush(), static_cast<int64_t>(both.size()));

  // A file that is shorter than it should be, or gone, starts anew.
  fs::resize_file(log() / "events.out.tfevents.fovea", 3);
  position.epochs = 4;
  EventLog shorter(log(), position);
  EXPECT_EQ(position.bytes, 0);
  EXPECT_EQ(position.epochs, 0);
  const int64_t bytes = shorter.flush();
  EXPECT_EQ(bytes, static_cast<int64_t>(log_bytes().size()));
}

TEST_F(Events, AFolderThatCannotBeIsNamed) {
  std::ofstream(log()) << "a file";
  EventPosition position;
  try {
    EventLog log(folder_ / "log", position);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(log().string()));
  }
}

class TensorBoard : public Events {
 protected:
  void SetUp() override {
    Events::SetUp();
    draw_pictures(folder_ / "pictures", 11);
    const char* given = std::getenv("FOVEA_TENSORBOARD");
    tools_ = given ? given : std::string(FOVEA_SOURCE_DIR) + "/build/tensorboard";
    if (fs::exists(tools_ + "/tensorboard")) return;
    const char* required = std::getenv("FOVEA_REQUIRE_TENSORBOARD");
    if (required && std::string(required) == "1") FAIL() << "there is no TensorBoard in " << tools_;
    GTEST_SKIP() << "there is no TensorBoard in " << tools_ << "; scripts/get_tensorboard.sh gets it";
  }

  nlohmann::json scalars(const fs::path& run) const {
    const fs::path out = folder_ / "scalars.json", errors = folder_ / "errors";
    const std::string command = "PYTHONPATH='" + tools_ + "' python3 '" FOVEA_SOURCE_DIR "/tests/train/read_events.py' '" +
                                (run / "tensorboard").string() + "' >'" + out.string() + "' 2>'" + errors.string() + "'";
    EXPECT_EQ(std::system(command.c_str()), 0) << read_text(errors);
    return nlohmann::json::parse(read_text(out));
  }

  TrainOptions options(const char* out) const {
    TrainOptions options;
    options.recipe = Recipe::full;
    options.optimizer.epochs = 3;
    options.optimizer.batch_size = 4;
    options.run.seed = 5;
    options.run.tensorboard = true;
    options.run.out = (folder_ / out).string();
    return options;
  }

  std::string tools_;
};

// One number of a column of history.csv for each epoch.
std::vector<std::pair<int64_t, double>> column(const fs::path& history, size_t wanted) {
  std::ifstream file(history);
  std::vector<std::pair<int64_t, double>> values;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::vector<std::string> fields(1);
    for (char c : line) {
      if (c == ',')
        fields.emplace_back();
      else
        fields.back() += c;
    }
    values.emplace_back(std::stoll(fields[0]), std::stod(fields[wanted]));
  }
  return values;
}

TEST_F(TensorBoard, ReadsEveryStepOnceOfAStoppedAndKilledRun) {
  const TrainOptions whole = options("whole");
  run_small(folder_ / "pictures", whole);
  const nlohmann::json expected = scalars(whole.run.out);

  TrainOptions pieces = options("pieces");
  for (int stopped = 0;; ++stopped) {
    int calls = 0;
    pieces.run.progress = [&](const TrainProgress&) { return ++calls < 5; };
    if (!run_small(folder_ / "pictures", pieces).result.interrupted) {
      EXPECT_GT(stopped, 2);
      break;
    }
    pieces.run.resume = true;
    // As if it had been killed between the log and the checkpoint after it: a whole record too many, and a part of one.
    std::ofstream log(fs::path(pieces.run.out) / "tensorboard" / "events.out.tfevents.fovea", std::ios::app | std::ios::binary);
    log << tf_record("too early") << tf_record("torn").substr(0, 9);
  }
  EXPECT_EQ(scalars(pieces.run.out), expected);

  const auto& steps = expected.at("loss/step");
  for (size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i][0], i + 1);
  const std::pair<const char*, size_t> columns[] = {
      {"loss/train", 2}, {"accuracy/train", 3}, {"loss/validation", 4}, {"accuracy/validation", 5}, {"rate", 6}};
  for (const auto& [tag, wanted] : columns) {
    const auto rows = column(fs::path(whole.run.out) / "history.csv", wanted);
    ASSERT_EQ(expected.at(tag).size(), 3u) << tag;
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(expected[tag][i][0], rows[i].first) << tag;
      EXPECT_NEAR(expected[tag][i][1].get<double>(), rows[i].second, 1e-6) << tag;
    }
  }
}

// Asked for late, it has the epochs before as well.
TEST_F(TensorBoard, KnowsEarlierEpochs) {
  TrainOptions run = options("run");
  run.run.tensorboard = false;
  run.run.progress = [](const TrainProgress& step) { return step.epoch < 3; };
  EXPECT_TRUE(run_small(folder_ / "pictures", run).result.interrupted);
  EXPECT_FALSE(fs::exists(fs::path(run.run.out) / "tensorboard"));
  run.run.progress = {};
  run.run.resume = run.run.tensorboard = true;
  run_small(folder_ / "pictures", run);
  EXPECT_EQ(scalars(run.run.out).at("loss/train").size(), 3u);
}

// A probe that was solved for: what it came to, and no rate, since there was none.
TEST_F(TensorBoard, KnowsWhatWasSolvedFor) {
  TrainOptions run = options("run");
  run.recipe = Recipe::probe;
  run.optimizer.epochs.reset();
  run.optimizer.batch_size.reset();
  const TrainResult result = run_small(folder_ / "pictures", run).result;
  const nlohmann::json found = scalars(run.run.out);
  EXPECT_EQ(found.size(), 4u) << found;
  EXPECT_EQ(found.at("loss/train").size(), 2u);  // solved for, and once more with the validation pictures
  EXPECT_EQ(found.at("accuracy/train").size(), 2u);
  EXPECT_EQ(found.at("loss/validation").size(), 1u);
  ASSERT_EQ(found.at("accuracy/validation").size(), 1u);
  EXPECT_NEAR(found["accuracy/validation"][0][1].get<double>(), result.validation.accuracy, 1e-6);
}

TEST_F(Events, ProgressTellsTheBestSoFar) {
  draw_pictures(folder_ / "pictures", 11);
  TrainOptions options;
  options.recipe = Recipe::full;
  options.optimizer.epochs = 3;
  options.optimizer.batch_size = 4;
  std::vector<TrainProgress> told;
  options.run.progress = [&](const TrainProgress& step) {
    if (step.phase != "check") told.push_back(step);
    return true;
  };
  const TrainResult result = run_small(folder_ / "pictures", options).result;
  double best = -1;
  for (const auto& step : told) {
    EXPECT_EQ(step.best >= 0, step.epoch > 1);
    EXPECT_EQ(step.validation_loss >= 0, step.epoch > 1);
    EXPECT_GE(step.best, best);
    best = std::max(best, step.best);
  }
  EXPECT_LE(best, result.validation.accuracy);
}

}  // namespace
}  // namespace fovea::training
