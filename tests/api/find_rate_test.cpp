// The search for a rate, and that nothing remembers it.
#include <fovea/fovea.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/files.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

class FindRate : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    for (int i = 0; i < 12; ++i) {
      const bool red = i % 2 == 0;
      fs::create_directories(folder_ / "pictures" / (red ? "red" : "blue"));
      Image image{32, 32, std::vector<uint8_t>(3 * 32 * 32)};
      for (size_t p = 0; p < image.pixels.size(); ++p)
        image.pixels[p] = static_cast<uint8_t>((p % 3 == (red ? 0 : 2) ? 150 : 40) + (p * 7919 + static_cast<size_t>(i) * 31) % 90);
      write_png((folder_ / "pictures" / (red ? "red" : "blue") / (std::to_string(i) + ".png")).string(), image);
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  static Model small() {
    LoadOptions load;
    load.weights = "none";
    Model model = Model::load("test_resnet", load);
    Preprocessing preprocessing = model.preprocessing();
    preprocessing.height = preprocessing.width = 32;
    model.set_preprocessing(preprocessing);
    return model;
  }
  std::string saved(const Model& model) const {
    const std::string path = (folder_ / "saved").string();
    model.save(path);
    return contents_of(path);
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / ("fovea_find_rate_" + std::to_string(getpid()));
};

TEST_F(FindRate, LeavesTheModelAndLaterRunsAsTheyWere) {
  TrainOptions options;
  options.recipe = Recipe::full;
  options.optimizer.epochs = 2;
  options.optimizer.batch_size = 4;
  options.optimizer.ema_decay = 0.9;
  Model plain = small();
  train(plain, (folder_ / "pictures").string(), options);

  Model searched = small();
  const std::string before = saved(searched);
  const RateCurve curve = find_rate(searched, (folder_ / "pictures").string(), options, {1e-5, 10, 40});
  EXPECT_EQ(saved(searched), before);
  train(searched, (folder_ / "pictures").string(), options);
  EXPECT_EQ(saved(searched), saved(plain));

  EXPECT_EQ(curve.recipe, "full");
  EXPECT_EQ(curve.optimizer, "adamw");
  ASSERT_FALSE(curve.trials.empty());
  EXPECT_DOUBLE_EQ(curve.trials.front().rate, 1e-5);
  EXPECT_TRUE(curve.diverged || curve.trials.size() == 40u);
  if (!curve.diverged) {
    EXPECT_NEAR(curve.trials.back().rate, 10, 1e-9);
  }
  const RateCurve again = find_rate(small(), (folder_ / "pictures").string(), options, {1e-5, 10, 40});
  EXPECT_EQ(again.trials.back().loss, curve.trials.back().loss);
}

// Pictures of 32 x 32: what BiT's rule makes of them stays with the model.
TEST_F(FindRate, APresetDecidesTheSizeUnlessOneIsWanted) {
  const std::string pictures = (folder_ / "pictures").string();
  TrainOptions options;
  options.preset = Preset::bit;
  options.optimizer.epochs = 1;
  options.optimizer.batch_size = 4;
  std::string notes;
  options.run.note = [&](const std::string& line) { notes += line + "\n"; };
  Model model = small();
  train(model, pictures, options);
  EXPECT_EQ(model.preprocessing().height, 128);
  EXPECT_EQ(model.preprocessing().width, 128);
  EXPECT_EQ(model.preprocessing().fit, Fit::squash);
  EXPECT_THAT(notes, testing::HasSubstr("1024 pixels, fewer than 96x96"));
  EXPECT_EQ(find_rate(small(), pictures, options, {1e-6, 1e-4, 10}).trials.size(), 10u);
  options.views.keep_size = true;
  Model kept = small();
  train(kept, pictures, options);
  EXPECT_EQ(kept.preprocessing().height, 32);
}

TEST_F(FindRate, NamesWhatMakesNoSense) {
  const Model model = small();
  const std::string pictures = (folder_ / "pictures").string();
  EXPECT_THROW(find_rate(model, pictures, {}, {1, 0.1, 40}), Error);
  EXPECT_THROW(find_rate(model, pictures, {}, {1e-3, 0.1, 2}), Error);
  TrainOptions probe;
  probe.recipe = Recipe::probe;
  EXPECT_THROW(find_rate(model, pictures, probe), Error);
}

}  // namespace
}  // namespace fovea
