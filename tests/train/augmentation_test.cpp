// Augmentation as a run's options ask for it: which phases it changes, mixed labels, the same bits again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "train/small_run.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Augmented : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("fovea_augmented_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    draw_pictures(folder_ / "pictures", 11);
  }
  void TearDown() override { fs::remove_all(folder_); }

  TrainOptions options(const char* out) const {
    TrainOptions options;
    options.recipe = Recipe::full;
    options.optimizer.epochs = 3;
    options.optimizer.batch_size = 4;
    options.run.seed = 5;
    options.run.report = false;
    options.run.out = (folder_ / out).string();
    return options;
  }
  TrainOptions everything(const char* out) const {
    TrainOptions all = options(out);
    all.augmentation.policy = Augment::randaugment;
    all.augmentation.vertical_flip = 0.3;
    all.augmentation.random_erasing = 0.5;
    all.augmentation.mixup = 0.4;
    all.augmentation.cutmix = 1;
    return all;
  }
  std::string model(const char* out) const { return bytes_of(folder_ / out / "model.safetensors"); }

  // Column 4 of the last line of history.csv.
  double last_train_accuracy(const char* out) const {
    const std::string text = bytes_of(folder_ / out / "history.csv");
    const size_t line = text.rfind('\n', text.size() - 2) + 1;
    size_t field = line;
    for (int i = 0; i < 3; ++i) field = text.find(',', field) + 1;
    return std::stod(text.substr(field));
  }

  fs::path folder_;
};

TEST_F(Augmented, TheSameBitsAgainAndInPieces) {
  for (const char* freeze : {"", "stem"}) {
    const auto own = [&](const char* out) {
      fs::remove_all(folder_ / out);
      TrainOptions all = everything(out);
      all.freeze = freeze;
      return all;
    };
    run_small(folder_ / "pictures", own("a"));
    run_small(folder_ / "pictures", own("b"));
    EXPECT_EQ(model("a"), model("b")) << freeze;
    TrainOptions pieces = own("pieces");
    int stops = 0;
    for (;; ++stops) {
      int calls = 0;
      pieces.run.progress = [&](const TrainProgress&) { return ++calls < 4; };
      if (!run_small(folder_ / "pictures", pieces).result.interrupted) break;
      pieces.run.resume = true;
    }
    EXPECT_GT(stops, 4);
    EXPECT_EQ(model("a"), model("pieces")) << freeze;
  }
}

TEST_F(Augmented, EveryOptionChangesTheRun) {
  run_small(folder_ / "pictures", options("plain"));
  const auto change = [&](const char* out, const std::function<void(TrainOptions&)>& with) {
    TrainOptions own = options(out);
    with(own);
    run_small(folder_ / "pictures", own);
    EXPECT_NE(model("plain"), model(out)) << out;
  };
  for (const Augment policy : {Augment::light, Augment::randaugment, Augment::trivialaugment, Augment::autoaugment})
    change(training::to_string(policy), [&](TrainOptions& o) { o.augmentation.policy = policy; });
  change("erasing", [](TrainOptions& o) { o.augmentation.random_erasing = 0.9; });
  change("vertical", [](TrainOptions& o) { o.augmentation.vertical_flip = 0.5; });
  change("mixup", [](TrainOptions& o) { o.augmentation.mixup = 0.2; });
  change("cutmix", [](TrainOptions& o) { o.augmentation.cutmix = 1; });
  TrainOptions standard = options("standard");
  standard.augmentation.policy = Augment::standard;
  run_small(folder_ / "pictures", standard);
  EXPECT_EQ(model("plain"), model("standard"));
}

// With an alpha near 0 the share is 0 or 1: each batch is itself, or all of it moved on by one. That is learned, and counted, only where
// labels go with their pictures.
TEST_F(Augmented, LabelsAreMixedWithTheirPictures) {
  for (const char* kind : {"mixup", "cutmix"}) {
    TrainOptions own = options(kind);
    own.optimizer.epochs = 20;
    own.optimizer.lr = 0.02;
    own.augmentation.policy = Augment::light;
    (std::string(kind) == "mixup" ? own.augmentation.mixup : own.augmentation.cutmix) = 1e-6;
    run_small(folder_ / "pictures", own);
    EXPECT_GE(last_train_accuracy(kind), 0.95) << kind;
  }
}

TEST_F(Augmented, ResumingWithAnotherOneNamesBoth) {
  TrainOptions own = everything("run");
  int calls = 0;
  own.run.progress = [&](const TrainProgress&) { return ++calls < 3; };
  run_small(folder_ / "pictures", own);
  own.run.resume = true;
  const auto message = [&](const std::function<void(TrainOptions&)>& change) {
    TrainOptions other = own;
    change(other);
    try {
      run_small(folder_ / "pictures", other);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::mismatch);
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  const std::string policy = message([](TrainOptions& o) { o.augmentation.policy = Augment::autoaugment; });
  EXPECT_THAT(policy, HasSubstr("policy randaugment"));
  EXPECT_THAT(policy, HasSubstr("policy autoaugment"));
  const std::string mixup = message([](TrainOptions& o) { o.augmentation.mixup = 0.5; });
  EXPECT_THAT(mixup, HasSubstr("mixup"));
  EXPECT_THAT(mixup, HasSubstr("0.4"));
  EXPECT_THAT(mixup, HasSubstr("0.5"));
}

TEST(AugmentationOptions, BecomePhases) {
  TrainOptions options;
  options.recipe = Recipe::finetune;
  options.augmentation.mixup = 0.2;
  options.augmentation.random_erasing = 0.25;
  options.augmentation.policy = Augment::trivialaugment;
  const Plan plan = make_plan(options, {100, 20, true});
  ASSERT_EQ(plan.phases.size(), 2u);
  EXPECT_FALSE(plan.phases[0].mixing.any());  // on features
  EXPECT_FALSE(plan.phases[0].loss.soft_targets);
  const Phase& all = plan.phases[1];
  EXPECT_EQ(all.mixing, (image::Mixing{0.2, 0}));
  EXPECT_TRUE(all.loss.soft_targets);
  ASSERT_TRUE(all.augmentation);
  EXPECT_EQ(all.augmentation->policy.policy, image::Policy::trivialaugment);
  EXPECT_EQ(all.augmentation->erasing.probability, 0.25);
  EXPECT_TRUE(all.augmentation->random_resized_crop);
  EXPECT_EQ(all.augmentation->brightness, 0);  // in place of the policy

  TrainOptions light;
  light.augmentation.policy = Augment::light;
  EXPECT_EQ(augmentation_of(light), image::Augmentation{});
  TrainOptions none;
  none.augmentation.policy = Augment::off;
  EXPECT_FALSE(augmentation_of(none));
  none.augmentation.random_erasing = 0.1;
  EXPECT_EQ(augmentation_of(none), (image::Augmentation{.flip = 0, .erasing = {.probability = 0.1}}));
}

std::string message(TrainOptions options) {
  try {
    make_plan(options, {100, 20, true});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(AugmentationOptions, ThatContradictAreNamed) {
  TrainOptions options;
  options.recipe = Recipe::full;
  options.augmentation.mixup = -1;
  EXPECT_THAT(message(options), HasSubstr("the alpha of mixup is -1"));
  options.augmentation.mixup = 0.2;
  options.recipe = Recipe::probe;
  EXPECT_EQ(message(options), "the recipe probe looks at each picture once, mixup 0.2 was asked for: finetune or full can do that");
  options.recipe = Recipe::automatic;
  EXPECT_EQ(make_plan(options, {100, 20, true}).recipe, "finetune");
}

}  // namespace
}  // namespace fovea::training
