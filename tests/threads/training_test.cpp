// Training and what goes before it: loaders, kept features, pictures looked at on all cores, runs beside each other and beside predictors,
// requests to stop.
#include <fovea/fovea.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <functional>

#include "cli/interrupts.h"
#include "image/check.h"
#include "image/loader.h"
#include "support.h"
#include "support/threads.h"
#include "train/small_run.h"

namespace fovea {
namespace {


// Pictures of three classes, drawn once.
class PicturesTest : public testing::Test {
 protected:
  static constexpr int kEach = 6;
  void SetUp() override { training::draw_pictures(folder_ / "pictures", kEach); }

  std::string pictures() const { return (folder_ / "pictures").string(); }
  std::vector<std::string> files() const { return list_pictures({pictures()}); }
  TrainOptions options(const std::string& out) const {
    TrainOptions options;
    options.recipe = Recipe::full;
    options.optimizer.epochs = 2;
    options.optimizer.batch_size = 4;
    options.run.seed = 5;
    options.views.keep_size = true;
    options.run.report = false;
    options.run.out = (folder_ / out).string();
    return options;
  }

  test::TemporaryFolder folder_;
};

using Loaders = PicturesTest;
using Looking = PicturesTest;
using Training = PicturesTest;

// All that a loader gives in two epochs, the second of them from its second batch on.
std::vector<float> all_of(image::Loader& loader) {
  std::vector<float> result;
  for (const int64_t epoch : {0, 1}) {
    loader.start(epoch, epoch);
    while (const image::Batch* batch = loader.next()) {
      result.insert(result.end(), batch->images.begin(), batch->images.end());
      for (const auto& bad : batch->bad) result.push_back(static_cast<float>(bad.position));
      for (const int32_t label : batch->labels) result.push_back(static_cast<float>(label));
    }
  }
  return result;
}

TEST_F(Loaders, ShareACacheAndGiveWhatOneWorkerGives) {
  image::Dataset dataset = image::scan_folder(pictures());
  dataset.samples.insert(dataset.samples.begin() + 3, {(folder_ / "pictures/none.bmp").string(), 1, "none", {}});
  image::LoaderOptions options;
  options.preprocessing.width = options.preprocessing.height = 12;
  options.preprocessing.resize = 14;
  options.augmentation =
      image::Augmentation{.random_resized_crop = true, .brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1};
  options.batch = 4;
  options.shuffle = options.skip_bad = true;
  options.workers = 1;
  image::Loader alone(dataset.samples, options);
  const std::vector<float> expected = all_of(alone);
  options.workers = 3;
  options.cache = std::make_shared<image::ImageCache>(size_t{8} << 10, options.preprocessing, false);  // not all of them fit
  std::atomic<int> wrong{0};
  test::at_once(3, [&](int) {
    image::Loader loader(dataset.samples, options);
    for (int round = 0; round < 2; ++round) wrong += all_of(loader) == expected ? 0 : 1;
  });
  EXPECT_EQ(wrong, 0);
}

TEST_F(Loaders, EndWhileTheyWorkAndThrowWhatTheirWorkersMet) {
  const image::Dataset dataset = image::scan_folder(pictures());
  image::LoaderOptions options;
  options.preprocessing.width = options.preprocessing.height = 12;
  options.batch = 3;
  options.workers = 3;
  options.endless = true;
  for (int round = 0; round < 10; ++round) {
    image::Loader loader(dataset.samples, options);
    for (int batch = 0; batch < round; ++batch) loader.next();
  }
  std::vector<image::Sample> missing(9, dataset.samples.front());
  for (size_t i = 0; i < missing.size(); ++i) missing[i].path = (folder_ / ("missing" + std::to_string(i))).string();
  image::Loader loader(missing, options);
  for (int round = 0; round < 5; ++round) {
    loader.start(round);
    try {
      loader.next();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("missing0"), std::string::npos) << error.what();
    }
  }
}

TEST_F(Looking, AtPicturesFromSeveralThreads) {
  constexpr int kMany = 45;  // enough for their comparison to be shared out
  const std::string many = (folder_ / "many").string();
  training::draw_pictures(many, kMany);
  const test::Threads three(3);
  const std::string expected = to_json(audit(many));
  const Preprocessing size{};
  std::atomic<int> wrong{0};
  test::at_once(4, [&](int thread) {
    if (thread < 2) {
      int64_t calls = 0;  // progress comes from other threads, one at a time
      AuditOptions options;
      options.progress = [&](int64_t, int64_t) { ++calls; };
      wrong += to_json(audit(many, options)) == expected ? 0 : 1;
      wrong += calls == 3 * kMany ? 0 : 1;
    } else {
      image::Dataset dataset = image::scan_folder(many);
      dataset.samples.push_back({(folder_ / "none").string(), 0, "none", {}});
      image::ImageCache cache(size_t{1} << 20, size, false);
      std::vector<image::Look> looks;
      wrong += image::check_pictures(dataset, &cache, {}, &looks).size() == 1 ? 0 : 1;
      wrong += looks.size() == 3 * kMany && cache.bytes() > 0 ? 0 : 1;
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST_F(Looking, ThroughOneModelAtManyFilesAndStops) {
  const Model model = test::small_model("threads_maps");
  const std::vector<float> expected = numbers(embed_files(model, files()).features);
  std::atomic<int> wrong{0};
  test::at_once(3, [&](int thread) {
    PictureOptions options;
    const int64_t stop = thread == 0 ? 7 : 3 * kEach;
    options.progress = [&](int64_t done, int64_t) { return done < stop; };
    if (thread < 2)
      wrong += static_cast<int64_t>(predict_files(model, files(), options).pictures.size()) == stop ? 0 : 1;
    else
      wrong += numbers(embed_files(model, files(), options).features) == expected ? 0 : 1;
  });
  EXPECT_EQ(wrong, 0);
}

// Runs of the same seed beside each other, whose frozen part's outputs are kept in memory, in a file or not at all.
TEST_F(Training, BesideEachOtherChangesNoBit) {
  const test::Threads three(3);
  const auto run = [&](const std::string& out, FeatureCache cache) {
    TrainOptions own = options(out);
    own.freeze = "stem";
    own.augmentation.policy = Augment::off;
    own.data.test = 0.2;
    own.data.feature_cache = cache;
    training::run_small(pictures(), own);
    return training::bytes_of(folder_ / out / "model.safetensors");
  };
  const std::string expected = run("alone", FeatureCache::off);
  EXPECT_FALSE(expected.empty());
  std::atomic<int> wrong{0};
  const FeatureCache caches[] = {FeatureCache::memory, FeatureCache::disk, FeatureCache::off};
  test::at_once(3, [&](int thread) { wrong += run(std::to_string(thread), caches[thread]) == expected ? 0 : 1; });
  EXPECT_EQ(wrong, 0);
}

TEST_F(Training, FitsProbesBesideEachOther) {
  const test::Threads three(3);
  const auto run = [&](const std::string& out) {
    TrainOptions own = options(out);
    own.recipe = Recipe::probe;
    own.optimizer.epochs.reset();
    own.optimizer.batch_size.reset();
    training::run_small(pictures(), own);
    return training::bytes_of(folder_ / out / "model.safetensors");
  };
  const std::string expected = run("alone");
  EXPECT_FALSE(expected.empty());
  std::atomic<int> wrong{0};
  test::at_once(2, [&](int thread) { wrong += run(std::to_string(thread)) == expected ? 0 : 1; });
  EXPECT_EQ(wrong, 0);
}

// Predictors of the model as it was run all the time; the run is stopped, goes on and ends.
TEST_F(Training, ChangesNoPredictor) {
  Model model = test::small_model("threads_maps");
  model.replace_head({"blue", "green", "red"});
  const Image image = test::picture(3);
  const Predictor before = model.predictor({.threads_per_call = 1});
  const std::vector<double> expected = numbers(before.predict(image));
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, calls{0};
  std::thread caller([&] {
    for (; !stop; ++calls) wrong += numbers(before.predict(image)) == expected ? 0 : 1;
  });
  TrainOptions own = options("run");
  own.run.tensorboard = true;
  own.optimizer.ema_decay = 0.9;
  int steps = 0;
  own.run.progress = [&](const TrainProgress& p) { return p.phase == "check" || ++steps < 3; };
  EXPECT_TRUE(train(model, pictures(), own).interrupted);
  const Predictor between = model.predictor({.threads_per_call = 1});
  const std::vector<double> after_three = numbers(between.predict(image));
  EXPECT_NE(after_three, expected);
  own.run.resume = true;
  own.run.progress = {};
  EXPECT_FALSE(train(model, pictures(), own).interrupted);
  EXPECT_EQ(numbers(between.predict(image)), after_three);
  EXPECT_NE(numbers(model.predict(image)), after_three);
  while (calls < 3) std::this_thread::yield();
  stop = true;
  caller.join();
  EXPECT_EQ(wrong, 0);
}

// The handler runs on a thread that has nothing to do with the run.
TEST_F(Training, StopsWhenASignalReachesAnotherThread) {
  cli::watch_interrupts();
  EXPECT_FALSE(cli::interrupted());
  std::atomic<int> steps{0};
  std::atomic<bool> over{false};
  std::thread other([&] {
    while (steps < 2 && !over) std::this_thread::yield();
    pthread_kill(pthread_self(), SIGTERM);
  });
  TrainOptions own = options("run");
  own.optimizer.epochs = 200;
  own.run.progress = [&](const TrainProgress& p) {
    if (p.phase != "check") ++steps;
    return !cli::interrupted();
  };
  EXPECT_TRUE(training::run_small(pictures(), own).result.interrupted);
  EXPECT_GE(steps, 2);
  over = true;
  other.join();
}

}  // namespace
}  // namespace fovea
