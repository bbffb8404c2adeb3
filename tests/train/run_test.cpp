// Whole runs: the same bits again, interrupted anywhere or not; what is frozen stays; what is wrong is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "base/atomic_file.h"
#include "base/json_value.h"
#include "train/small_run.h"
#include "weights/model_file.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Run : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("fovea_run_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    draw_pictures(folder_ / "pictures", 11);
  }
  void TearDown() override { fs::remove_all(folder_); }

  TrainOptions options(Recipe recipe, const char* out) const {
    TrainOptions options;
    options.recipe = recipe;
    options.optimizer.epochs = 3;
    options.optimizer.batch_size = 4;
    options.data.test = 0.2;
    options.run.seed = 5;
    options.run.out = out ? (folder_ / out).string() : "";
    return options;
  }
  fs::path pictures() const { return folder_ / "pictures"; }
  std::string message(const TrainOptions& options) const {
    try {
      run_small(pictures(), options);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }
  // The same run, stopped after every `every` calls of progress, to the end. How often it was stopped.
  int run_in_pieces(TrainOptions options, int every) const {
    for (int pieces = 0;; ++pieces) {
      int calls = 0;
      options.run.progress = [&](const TrainProgress&) { return ++calls < every; };
      if (!run_small(pictures(), options).result.interrupted) return pieces;
      options.run.resume = true;
    }
  }

  fs::path folder_;
};

TEST_F(Run, EveryRecipeLearnsTheColours) {
  for (Recipe recipe : {Recipe::probe, Recipe::finetune, Recipe::full}) {
    TrainOptions own = options(recipe, nullptr);
    own.optimizer.epochs = 20;
    own.optimizer.lr = 0.02;
    const SmallRun run = run_small(pictures(), own);
    EXPECT_EQ(run.result.recipe, to_string(recipe));
    EXPECT_EQ(run.result.test.pictures, 6);
    EXPECT_EQ(run.result.validation.pictures, 6);
    EXPECT_GE(run.result.test.accuracy, 0.8) << to_string(recipe);
  }
}

TEST_F(Run, TheSameSeedGivesTheSameBits) {
  for (Recipe recipe : {Recipe::probe, Recipe::finetune, Recipe::full}) {
    for (const char* out : {"a", "b"}) {
      fs::remove_all(folder_ / out);
      run_small(pictures(), options(recipe, out));
    }
    EXPECT_EQ(bytes_of(folder_ / "a/model.safetensors"), bytes_of(folder_ / "b/model.safetensors")) << to_string(recipe);
    TrainOptions other = options(recipe, "c");
    fs::remove_all(folder_ / "c");
    other.run.seed = 6;
    run_small(pictures(), other);
    EXPECT_NE(bytes_of(folder_ / "a/model.safetensors"), bytes_of(folder_ / "c/model.safetensors")) << to_string(recipe);
  }
}

TEST_F(Run, InterruptedAnywhereItEndsWithTheSameBits) {
  for (Recipe recipe : {Recipe::probe, Recipe::finetune, Recipe::full}) {
    run_small(pictures(), options(recipe, "whole"));
    for (int every : {7, 8, 9, 11}) {  // more than the calls while features are computed, or it never gets beyond them
      fs::remove_all(folder_ / "pieces");
      EXPECT_GT(run_in_pieces(options(recipe, "pieces"), every), 0);
      EXPECT_EQ(bytes_of(folder_ / "whole/model.safetensors"), bytes_of(folder_ / "pieces/model.safetensors"))
          << to_string(recipe) << ", every " << every;
    }
    fs::remove_all(folder_ / "whole");
  }
}

TEST_F(Run, SgdToo) {
  TrainOptions own = options(Recipe::full, "whole");
  own.optimizer.kind = Optimizer::sgd;
  run_small(pictures(), own);
  own.run.out = (folder_ / "pieces").string();
  EXPECT_GT(run_in_pieces(own, 5), 0);
  EXPECT_EQ(bytes_of(folder_ / "whole/model.safetensors"), bytes_of(folder_ / "pieces/model.safetensors"));
}

// The child of the test below: a run that the parent kills.
TEST_F(Run, DISABLED_Child) {
  const char* folder = std::getenv("FOVEA_TEST_RUN");
  ASSERT_TRUE(folder);
  TrainOptions own = options(Recipe::finetune, nullptr);
  own.run.out = std::string(folder) + "/killed";
  own.run.resume = true;
  own.optimizer.epochs = 8;
  own.run.progress = [&](const TrainProgress&) {
    usleep(2000);  // so that there is something to hit
    return true;
  };
  run_small(std::string(folder) + "/pictures", own);
}

TEST_F(Run, KilledItGoesOnWithTheSameBits) {
  setenv("FOVEA_TEST_RUN", folder_.c_str(), 1);
  const RandomStream delays(1, "delays");
  int killed = 0, tries = 0;
  for (bool finished = false; !finished; ++tries) {
    ASSERT_LT(tries, 60);
    const pid_t child = fork();
    if (child == 0) {
      if (!freopen("/dev/null", "w", stdout)) _exit(1);
      execl("/proc/self/exe", "run", "--gtest_also_run_disabled_tests", "--gtest_filter=Run.DISABLED_Child", nullptr);
      _exit(1);
    }
    const auto delay = static_cast<useconds_t>(60000 + 40000 * tries + 100000 * delays.uniform(static_cast<uint64_t>(tries)));
    if (tries < 6) {
      usleep(delay);
      kill(child, SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    killed += WIFSIGNALED(status);
    finished = WIFEXITED(status);
    if (finished) {
      ASSERT_EQ(WEXITSTATUS(status), 0);
    }
  }
  EXPECT_GT(killed, 0);
  TrainOptions own = options(Recipe::finetune, "whole");
  own.optimizer.epochs = 8;
  run_small(pictures(), own);
  EXPECT_EQ(bytes_of(folder_ / "whole/model.safetensors"), bytes_of(folder_ / "killed/model.safetensors"));
}

TEST_F(Run, WhatIsFrozenKeepsEveryBit) {
  TrainOptions own = options(Recipe::full, nullptr);
  own.freeze = "stem";
  own.optimizer.lr = 0.05;
  const SmallRun run = run_small(pictures(), own);
  const engine::Network fresh(small_variant(), run.network->form(), run.network->preprocessing(), 7);
  for (const auto& [name, tensor] : run.network->state_dict()) {
    const Tensor before = fresh.store()->get(name);
    const bool same = std::memcmp(before.raw(), tensor.raw(), tensor.bytes()) == 0;
    EXPECT_EQ(same, name.starts_with("stem.")) << name;
  }
}

TEST_F(Run, AProbeLeavesTheBackboneAsItWas) {
  const SmallRun run = run_small(pictures(), options(Recipe::probe, nullptr));
  const engine::Network fresh(small_variant(), run.network->form(), run.network->preprocessing(), 7);
  for (const auto& [name, tensor] : run.network->state_dict()) {
    const Tensor before = fresh.store()->get(name);
    const bool same = std::memcmp(before.raw(), tensor.raw(), tensor.bytes()) == 0;
    EXPECT_EQ(same, !name.starts_with("fc.")) << name;
  }
}

TEST_F(Run, OtherOptionsOrPicturesAreNotResumed) {
  TrainOptions own = options(Recipe::full, "run");
  own.run.progress = [calls = 0](const TrainProgress&) mutable { return ++calls < 4; };
  EXPECT_TRUE(run_small(pictures(), own).result.interrupted);
  own.run.progress = nullptr;
  EXPECT_THAT(message(own), HasSubstr("interrupted"));  // not silently started anew
  own.run.resume = true;
  own.optimizer.batch_size = 5;
  EXPECT_THAT(message(own), AllOf(HasSubstr("batch: 4 in the run, 5 now"), HasSubstr("resuming")));
  own.optimizer.batch_size = 4;
  own.run.seed = 9;
  EXPECT_THAT(message(own), HasSubstr("seed: 5 in the run, 9 now"));
  own.run.seed = 5;
  draw_picture(pictures() / "red/new.bmp", {0, 0, 1}, 1);
  EXPECT_THAT(message(own), HasSubstr("training pictures: 21 in the run, 22 now"));
  fs::remove(pictures() / "red/new.bmp");
  EXPECT_FALSE(run_small(pictures(), own).result.interrupted);
}

TEST_F(Run, AListGivesTheBitsOfItsFolder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(pictures()))
    if (entry.is_regular_file()) files.push_back(entry.path().string());
  std::sort(files.rbegin(), files.rend());
  ASSERT_EQ(files.size(), 33u);
  const auto names = [](const image::Dataset& dataset) {
    std::vector<std::string> all;
    for (const image::Sample& sample : dataset.samples) all.push_back(sample.name);
    return all;
  };
  Preprocessing preprocessing;
  preprocessing.height = preprocessing.width = kPictureSize;
  const TrainOptions own = options(Recipe::full, "folder");
  const Data of_folder = load_data(find_pictures(pictures().string()), own, preprocessing, true);
  const Data of_list = load_data(find_pictures(files), own, preprocessing, true);
  EXPECT_EQ(of_list.fingerprint, of_folder.fingerprint);
  for (const auto part : {&image::Splits::train, &image::Splits::validation, &image::Splits::test}) {
    EXPECT_FALSE(names(of_list.splits.*part).empty());
    EXPECT_EQ(names(of_list.splits.*part), names(of_folder.splits.*part));
  }

  run_small(pictures(), own);
  run_small(find_pictures(files), options(Recipe::full, "list"));
  EXPECT_EQ(bytes_of(folder_ / "list/model.safetensors"), bytes_of(folder_ / "folder/model.safetensors"));

  // Begun on the folder, gone on with the list, after the pictures have moved.
  TrainOptions parts = options(Recipe::full, "parts");
  parts.run.progress = [calls = 0](const TrainProgress&) mutable { return ++calls < 7; };
  EXPECT_TRUE(run_small(pictures(), parts).result.interrupted);
  fs::create_directories(folder_ / "elsewhere");
  for (const auto& entry : fs::directory_iterator(pictures())) fs::rename(entry.path(), folder_ / "elsewhere" / entry.path().filename());
  for (std::string& file : files) file = (folder_ / "elsewhere" / fs::path(file).lexically_relative(pictures())).string();
  parts.run.progress = nullptr;
  parts.run.resume = true;
  EXPECT_FALSE(run_small(find_pictures(files), parts).result.interrupted);
  EXPECT_EQ(bytes_of(folder_ / "parts/model.safetensors"), bytes_of(folder_ / "folder/model.safetensors"));

  fs::rename(folder_ / "elsewhere/red", folder_ / "elsewhere/pink");  // as many pictures, of other names
  for (std::string& file : files)
    if (const size_t at = file.find("/red/"); at != file.npos) file.replace(at, 5, "/pink/");
  EXPECT_NE(load_data(find_pictures(files), own, preprocessing, true).fingerprint, of_folder.fingerprint);
}

TEST_F(Run, AFinishedRunIsLeftAsItIs) {
  TrainOptions own = options(Recipe::full, "run");
  const TrainResult first = run_small(pictures(), own).result;
  const std::string model = bytes_of(folder_ / "run/model.safetensors"), metrics = bytes_of(folder_ / "run/metrics.json");
  const std::string checkpoint = bytes_of(folder_ / "run/last.ckpt");
  own.run.resume = true;
  std::string notes;
  own.run.note = [&](const std::string& text) { notes += text; };
  const TrainResult again = run_small(pictures(), own).result;
  EXPECT_THAT(notes, HasSubstr("finished"));
  EXPECT_EQ(again.test.accuracy, first.test.accuracy);
  EXPECT_EQ(bytes_of(folder_ / "run/model.safetensors"), model);
  EXPECT_EQ(bytes_of(folder_ / "run/metrics.json"), metrics);
  EXPECT_EQ(bytes_of(folder_ / "run/last.ckpt"), checkpoint);
}

TEST_F(Run, BadPicturesAreListedAndLeftOut) {
  write_text(pictures() / "red/bad.png", "no picture");
  const TrainResult result = run_small(pictures(), options(Recipe::probe, "run")).result;
  ASSERT_EQ(result.left_out.size(), 1u);
  EXPECT_THAT(result.left_out[0].file, HasSubstr("bad.png"));
  const auto metrics = nlohmann::json::parse(bytes_of(folder_ / "run/metrics.json"));
  EXPECT_THAT(metrics["left_out"][0]["file"].get<std::string>(), HasSubstr("bad.png"));
  EXPECT_EQ(metrics["validation"]["pictures"].get<int64_t>() + metrics["test"]["pictures"].get<int64_t>() +
                metrics["training_pictures"].get<int64_t>(),
            33);
}

TEST_F(Run, AClassWithoutAGoodPictureIsNamed) {
  fs::remove_all(pictures() / "red");
  fs::create_directories(pictures() / "red");
  write_text(pictures() / "red/bad.png", "no picture");
  EXPECT_THAT(message(options(Recipe::probe, nullptr)), HasSubstr("red"));
}

TEST_F(Run, ALossThatIsNoNumberStopsTheRun) {
  TrainOptions own = options(Recipe::full, nullptr);
  own.optimizer.lr = 900;
  own.optimizer.weight_decay = 900;  // every step multiplies the weights by 1 - 810000
  own.optimizer.epochs = 20;
  EXPECT_THAT(message(own), AllOf(HasSubstr("the loss is no number"), HasSubstr("epoch"), HasSubstr("rate")));
}

// The second step gives weights that are no numbers any more, and the best weights of before are kept.
TEST_F(Run, AValidationLossThatIsNoNumberKeepsTheBestAndTells) {
  TrainOptions own = options(Recipe::full, "run");
  own.optimizer.kind = Optimizer::sgd;
  own.optimizer.batch_size = 64;  // one step an epoch: its loss is that of the weights before
  own.optimizer.lr = 1e-3;
  own.optimizer.weight_decay = 0;
  own.optimizer.schedule = RateSchedule::constant;
  own.optimizer.warmup = 0;
  own.optimizer.epochs = 1;
  run_small(pictures(), own);
  const std::string first = bytes_of(folder_ / "run/model.safetensors");
  own.run.out = (folder_ / "astray").string();
  own.optimizer.epochs = 3;
  SmallRun run;
  Preprocessing preprocessing;
  preprocessing.height = preprocessing.width = kPictureSize;
  preprocessing.fit = Fit::squash;
  const Data data = load_data(find_pictures(pictures().string()), own, preprocessing, true);
  run.network = std::make_shared<engine::Network>(small_variant(), engine::NetworkForm{data.splits.train.classes, {}}, preprocessing, 7);
  own.run.progress = [&](const TrainProgress& progress) {
    if (progress.epoch == 2) {
      const Tensor bias = run.network->store()->get("fc.bias");
      Tensor broken = bias.clone();
      broken.mutable_values<float>()[0] = std::numeric_limits<float>::quiet_NaN();
      run.network->store()->set("fc.bias", broken);
    }
    return true;
  };
  Trainer trainer(
      {run.network, cpu::cpu_backend(), own, data, make_plan(own, {static_cast<int64_t>(data.splits.train.samples.size()), 6})});
  try {
    trainer.run();
    ADD_FAILURE() << "the run went on";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("the validation loss is no number (nan)"), HasSubstr("--lr"), HasSubstr("of epoch 1, is kept")));
  }
  EXPECT_TRUE(trainer.stopped());
  EXPECT_EQ(bytes_of(folder_ / "astray/model.safetensors"), first);
  const auto metrics = nlohmann::json::parse(bytes_of(folder_ / "astray/metrics.json"));
  EXPECT_THAT(metrics.at("stopped").get<std::string>(), HasSubstr("validation loss"));
  EXPECT_TRUE(metrics.at("history").at(1).at("validation_loss").is_null());
  const Tensor bias = run.network->store()->get("fc.bias");
  for (const float value : bias.values<float>()) EXPECT_TRUE(std::isfinite(value));
}

TEST_F(Run, WhatACallerThrowsArrives) {
  for (const char* phase : {"check", "features", "all"}) {
    TrainOptions own = options(Recipe::finetune, nullptr);
    const auto throw_in = [&](const TrainProgress& progress) {
      if (progress.phase == phase) throw std::out_of_range(phase);
      return true;
    };
    own.run.progress = throw_in;
    const auto run = [&] {
      Preprocessing preprocessing;
      preprocessing.height = preprocessing.width = kPictureSize;
      preprocessing.fit = Fit::squash;
      const Data data = load_data(find_pictures(pictures().string()), own, preprocessing, true, [&](int64_t done, int64_t all) {
        throw_in({"check", 0, 1, done, all, 0});
      });
      const auto network =
          std::make_shared<engine::Network>(small_variant(), engine::NetworkForm{data.splits.train.classes, {}}, preprocessing, 7);
      Trainer({network, cpu::cpu_backend(), own, data, make_plan(own, {static_cast<int64_t>(data.splits.train.samples.size()), 6})}).run();
    };
    EXPECT_THROW(run(), std::out_of_range) << phase;
  }
}

TEST_F(Run, ARunMayGoOnWithinAnotherLimitOfMemory) {
  TrainOptions own = options(Recipe::full, "run");
  own.run.memory_bytes = size_t{100} << 30;
  int64_t steps = 0;
  own.run.progress = [&](const TrainProgress&) { return ++steps < 5; };
  EXPECT_TRUE(run_small(pictures(), own).result.interrupted);
  own.run.progress = {};
  own.run.memory_bytes = size_t{90} << 30;
  own.run.resume = true;
  EXPECT_FALSE(run_small(pictures(), own).result.interrupted);
  run_small(pictures(), options(Recipe::full, "whole"));
  EXPECT_EQ(bytes_of(folder_ / "run/model.safetensors"), bytes_of(folder_ / "whole/model.safetensors"));
  own.run.resume = false;
  own.run.memory_bytes = 1000;
  EXPECT_THAT(message(own), HasSubstr("0 MB of memory are allowed, a batch of 4 of small takes "));
}

TEST_F(Run, TheFilesOfARun) {
  run_small(pictures(), options(Recipe::finetune, "run"));
  const auto metrics = nlohmann::json::parse(bytes_of(folder_ / "run/metrics.json"));
  EXPECT_EQ(metrics["test"]["pictures"], 6);
  ASSERT_EQ(metrics["test_files"].size(), 6u);
  for (const auto& file : metrics["test_files"]) EXPECT_TRUE(fs::is_regular_file(file.get<std::string>())) << file;
  EXPECT_EQ(metrics["recipe"], "finetune");
  EXPECT_EQ(metrics["test"]["confusion"].size(), 3u);
  EXPECT_GT(metrics["peak_bytes"]["planned"].get<int64_t>(), 0);
  const auto model = weights::read_model_file(folder_ / "run/model.safetensors");
  EXPECT_EQ(model.architecture, "small");
  EXPECT_EQ(model.classes.size(), 3u);
  EXPECT_EQ(model.preprocessing.fit, Fit::squash);
  for (const auto& [name, tensor] : model.tensors) EXPECT_EQ(name.find(':'), name.npos) << name;  // no moments
  const std::string history = bytes_of(folder_ / "run/history.csv");
  EXPECT_EQ(std::count(history.begin(), history.end(), '\n'), 1 + 1 + 3);  // names, the head solved for, epochs
}

}  // namespace
}  // namespace fovea::training
