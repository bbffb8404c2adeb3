// A frozen part's outputs, kept: the same run to the last bit, whatever keeps them; a file that is whole and belongs here, or none.
#include "train/kept_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/atomic_file.h"
#include "image/loader.h"
#include "train/small_run.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class KeptFeaturesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::path(testing::TempDir()) / "fovea_kept_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    draw_pictures(folder_ / "pictures", 9);
  }
  void TearDown() override { fs::remove_all(folder_); }

  TrainOptions options(const char* out, FeatureCache cache) const {
    TrainOptions options;
    options.recipe = Recipe::full;
    options.freeze = "stem";
    options.augmentation.policy = Augment::off;
    options.optimizer.epochs = 4;
    options.optimizer.batch_size = 4;
    options.data.test = 0.2;
    options.run.seed = 5;
    options.data.feature_cache = cache;
    options.run.out = (folder_ / out).string();
    return options;
  }
  std::string run(TrainOptions options, std::shared_ptr<FeatureStore> features = {}) {
    notes_.clear();
    options.run.note = [&](const std::string& text) { notes_ += text + "\n"; };
    image::Splits pictures = find_pictures((folder_ / "pictures").string());
    interrupted_ = run_small(std::move(pictures), options, true, std::move(features)).result.interrupted;
    return bytes_of(fs::path(options.run.out) / "model.safetensors");
  }
  // Stopped in the second epoch, its file behind it.
  void begin(TrainOptions options) {
    int steps = 0;
    options.run.progress = [&](const TrainProgress& p) { return p.phase == "features" || p.phase == "check" || ++steps < 6; };
    run(options);
    ASSERT_TRUE(interrupted_);
    ASSERT_TRUE(fs::exists(fs::path(options.run.out) / kFeaturesFile));
  }

  fs::path folder_;
  std::string notes_;
  bool interrupted_ = false;
};

TEST_F(KeptFeaturesTest, ChangeNoBit) {
  const std::string expected = run(options("off", FeatureCache::off));
  EXPECT_EQ(notes_.find("outputs of the frozen part"), notes_.npos);
  EXPECT_EQ(run(options("memory", FeatureCache::memory)), expected);
  EXPECT_THAT(notes_, HasSubstr("in memory"));
  EXPECT_EQ(run(options("disk", FeatureCache::disk)), expected);
  EXPECT_THAT(notes_, HasSubstr((folder_ / "disk" / kFeaturesFile).string()));
  EXPECT_FALSE(fs::exists(folder_ / "disk" / kFeaturesFile));  // of no use to a finished run
  TrainOptions beyond = options("beyond", FeatureCache::automatic);
  beyond.data.feature_cache_bytes = 1000;
  EXPECT_EQ(run(beyond), expected);
  EXPECT_THAT(notes_, HasSubstr((folder_ / "beyond" / kFeaturesFile).string()));
}

// What else the training keeps of the pictures leaves less room for them.
TEST_F(KeptFeaturesTest, ShareOneLimit) {
  const std::string expected = run(options("off", FeatureCache::off));
  constexpr size_t kLimit = 1 << 20;
  const Spill spill(kLimit, folder_);
  EXPECT_EQ(run(options("room", FeatureCache::automatic), std::make_shared<FeatureStore>(spill)), expected);
  EXPECT_THAT(notes_, HasSubstr("in memory"));
  EXPECT_EQ(spill.in_memory(), 0u);
  const SpillArray<float> other(spill, (kLimit - 1000) / sizeof(float));
  EXPECT_EQ(run(options("full", FeatureCache::automatic), std::make_shared<FeatureStore>(spill)), expected);
  EXPECT_THAT(notes_, HasSubstr((folder_ / "full" / kFeaturesFile).string()));
  EXPECT_EQ(spill.in_memory(), other.bytes_of_memory());
}

TEST_F(KeptFeaturesTest, StoredViewsChangeNoBitEither) {
  const auto with_views = [&](const char* out, FeatureCache cache, int64_t views) {
    TrainOptions own = options(out, cache);
    own.augmentation.policy.reset();
    own.augmentation.stored_views = views;
    return own;
  };
  const std::string expected = run(with_views("off", FeatureCache::off, 3));
  EXPECT_EQ(run(with_views("memory", FeatureCache::memory, 3)), expected);
  EXPECT_THAT(notes_, HasSubstr("3 views each"));
  EXPECT_EQ(run(with_views("disk", FeatureCache::disk, 3)), expected);
  EXPECT_NE(run(with_views("two", FeatureCache::memory, 2)), expected);
  // New draws each epoch: nothing to keep.
  EXPECT_NE(run(with_views("fresh", FeatureCache::memory, 0)), expected);
  EXPECT_EQ(notes_.find("outputs of the frozen part"), notes_.npos);
}

// The head drops what it reads, kept or not.
TEST_F(KeptFeaturesTest, DropoutBeforeAHeadThatTrainsAloneChangesTheRunAlike) {
  const auto with_dropout = [&](const char* out, FeatureCache cache, double dropout) {
    TrainOptions own = options(out, cache);
    own.freeze = "all";
    own.regularization.dropout = dropout;
    return own;
  };
  const std::string expected = run(with_dropout("off", FeatureCache::off, 0.5));
  EXPECT_EQ(run(with_dropout("memory", FeatureCache::memory, 0.5)), expected);
  EXPECT_NE(run(with_dropout("none", FeatureCache::memory, 0)), expected);
}

TEST_F(KeptFeaturesTest, AreFoundAgain) {
  const std::string expected = run(options("whole", FeatureCache::disk));
  TrainOptions own = options("parts", FeatureCache::disk);
  begin(own);
  own.run.resume = true;
  EXPECT_EQ(run(own), expected);
  EXPECT_THAT(notes_, HasSubstr("already"));
}

TEST_F(KeptFeaturesTest, OfOtherPicturesAreNotTaken) {
  TrainOptions own = options("run", FeatureCache::disk);
  begin(own);
  for (const char* name : {"0", "1", "2", "3", "4", "5", "6", "7", "8"})
    draw_picture(folder_ / "pictures/red" / (std::string(name) + ".bmp"), {0, 0, 1}, 99);  // of the same size
  own.run.resume = true;
  run(own);
  EXPECT_THAT(notes_, HasSubstr("belongs to other weights, pictures or settings"));
}

TEST_F(KeptFeaturesTest, DamagedOrCutShortAreNotTaken) {
  const std::string expected = run(options("whole", FeatureCache::disk));
  for (const bool cut : {true, false}) {
    TrainOptions own = options("run", FeatureCache::disk);
    fs::remove_all(folder_ / "run");
    begin(own);
    std::string bytes = bytes_of(folder_ / "run" / kFeaturesFile);
    if (cut)
      bytes.resize(bytes.size() / 2);
    else
      bytes[bytes.size() - 7] = static_cast<char>(bytes[bytes.size() - 7] ^ 1);
    write_text(folder_ / "run" / kFeaturesFile, bytes);
    own.run.resume = true;
    EXPECT_EQ(run(own), expected);
    EXPECT_THAT(notes_, HasSubstr("computed anew"));
  }
}

TEST_F(KeptFeaturesTest, NeedAFolderOnDisk) {
  TrainOptions own = options("", FeatureCache::disk);
  own.run.out.clear();
  try {
    run(own);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("no folder"));
  }
}

// What killed processes leave beside the files that they were writing.
TEST_F(KeptFeaturesTest, LeftoversGo) {
  const TrainOptions own = options("run", FeatureCache::off);
  fs::create_directories(own.run.out);
  const fs::path dead = fs::path(own.run.out) / "last.ckpt.partial-999999999", living = fs::path(own.run.out) / "last.ckpt.partial-1";
  write_text(dead, "half");
  write_text(living, "half");
  run(own);
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(living));
}

TEST(StoredView, ShowsEveryViewEquallyOften) {
  for (int64_t picture = 0; picture < 5; ++picture) {
    std::set<int64_t> seen;
    for (int64_t epoch = 10; epoch < 13; ++epoch) seen.insert(image::stored_view(epoch, picture, 3));
    EXPECT_EQ(seen, (std::set<int64_t>{0, 1, 2}));
  }
}

}  // namespace
}  // namespace fovea::training
