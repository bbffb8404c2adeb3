// Mixed batches and erased rectangles against torchvision (tests/data/image/generate_policies.py), and how they are drawn.
#include "image/mix.h"

#include <fovea/threads.h>

#include "base/json_value.h"
#include "image/augment.h"
#include "support.h"

namespace fovea::image {
namespace {

using nlohmann::json;

const json& mix_answers() {
  static const json parsed = json::parse(std::ifstream(data_folder() / "policies.json"));
  return parsed;
}

TEST(Mix, EqualsTorchvisionsMixUpAndCutMix) {
  for (const json& answer : mix_answers()["mixed"]) {
    const auto [count, height, width] = answer["shape"].get<std::array<int64_t, 3>>();
    std::vector<float> images(static_cast<size_t>(count * height * width * 3));
    for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(7 * i % 64) / 8 - 3;
    const Size size{width, height};
    Mix mix{answer["share"], false, {}};
    if (answer["kind"] == "cutmix") {
      mix = mix_by_box(size, mix.share, answer["x"], answer["y"]);
      const auto [x1, y1, x2, y2] = answer["box"].get<std::array<int64_t, 4>>();
      EXPECT_EQ(mix.box, (Window{x1, y1, x2 - x1, y2 - y1})) << answer["box"];
      EXPECT_EQ(mix.share, answer["left"].get<double>());
    }
    mix_images(images, count, size, mix);
    EXPECT_EQ(images, answer["images"].get<std::vector<float>>()) << answer["kind"] << answer["share"];
    std::vector<float> targets(static_cast<size_t>(count * 3));
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) targets[i * 3 + (i + 2) % 3] = 1;
    mix_targets(targets, count, mix);
    EXPECT_EQ(targets, answer["targets"].get<std::vector<float>>()) << answer["kind"] << answer["share"];
  }
}

TEST(Mix, ByThreadsAsByOne) {
  std::vector<float> images(5 * 67 * 41 * 3);
  for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i % 1013);
  const int before = threads();
  for (const Mix& mix : {Mix{0.3, false, {}}, mix_by_box({67, 41}, 0.3, 30, 20)}) {
    std::vector<float> one = images, four = images;
    set_threads(1);
    mix_images(one, 5, {67, 41}, mix);
    set_threads(4);
    mix_images(four, 5, {67, 41}, mix);
    EXPECT_EQ(one, four);
    EXPECT_NE(one, images);
  }
  set_threads(before);
}

// Mean 1/2, variance 1 / (4 (2 alpha + 1)); the fourth moment tells a Beta from other symmetric distributions.
TEST(Mix, SharesFollowTheBetaDistribution) {
  for (const double a : {0.1, 0.2, 0.4, 1.0, 3.0}) {
    constexpr int kDraws = 40000;
    double sum = 0, squares = 0, fourths = 0;
    for (uint64_t i = 0; i < kDraws; ++i) {
      const double x = draw_beta(a, RandomStream(11, i), 100) - 0.5;
      sum += x;
      squares += x * x;
      fourths += x * x * x * x;
    }
    const double variance = 1 / (4 * (2 * a + 1)), fourth = 3 * variance * variance * (2 * a + 1) / (2 * a + 3);
    EXPECT_NEAR(sum / kDraws, 0, 5 * std::sqrt(variance / kDraws)) << a;
    EXPECT_NEAR(squares / kDraws, variance, 5 * std::sqrt((fourth - variance * variance) / kDraws)) << a;
    EXPECT_NEAR(fourths / kDraws, fourth, 5 * 0.0625 / std::sqrt(static_cast<double>(kDraws))) << a;
  }
  const double tiny = draw_beta(1e-4, RandomStream(1, uint64_t{1}), 100);
  EXPECT_TRUE(tiny >= 0 && tiny <= 1);
}

TEST(Mix, IsDrawnByBatch) {
  const Size size{32, 32};
  EXPECT_EQ(draw_mix({}, size, {1, 2, 3}), Mix{});
  int boxes = 0;
  for (int64_t batch = 0; batch < 1000; ++batch) {
    const Mix mix = draw_mix({0.2, 1.0}, size, {9, batch / 50, batch % 50});
    EXPECT_EQ(mix, draw_mix({0.2, 1.0}, size, {9, batch / 50, batch % 50}));
    boxes += mix.by_box;
    EXPECT_FALSE(draw_mix({0.2, 0}, size, {9, 0, batch}).by_box);
    EXPECT_TRUE(draw_mix({0, 1.0}, size, {9, 0, batch}).by_box);
  }
  EXPECT_NEAR(boxes, 500, 80);
  EXPECT_NE(draw_mix({0.2, 0}, size, {9, 0, 0}), draw_mix({0.2, 0}, size, {9, 0, 1}));
  EXPECT_NE(draw_mix({0.2, 0}, size, {9, 0, 0}), draw_mix({0.2, 0}, size, {9, 1, 0}));
  EXPECT_NE(draw_mix({0.2, 0}, size, {9, 0, 0}), draw_mix({0.2, 0}, size, {10, 0, 0}));
}

TEST(Erasing, DrawsAsTorchvisionDoes) {
  const json& theirs = mix_answers()["erased"];
  constexpr int kDraws = 20000;
  std::array<double, 5> sums{};
  int erased = 0;
  for (uint64_t i = 0; i < kDraws; ++i) {
    const Window w = draw_erased({.probability = 1}, {100, 60}, RandomStream(5, i), 1000);
    if (w.width == 0) continue;
    ++erased;
    EXPECT_TRUE(w.left >= 0 && w.top >= 0 && w.left + w.width <= 100 && w.top + w.height <= 60);
    const std::array<int64_t, 5> values{w.height * w.width, w.height, w.width, w.top, w.left};
    for (size_t k = 0; k < 5; ++k) sums[k] += static_cast<double>(values[k]);
  }
  EXPECT_EQ(erased, theirs["draws"].get<int>());  // all
  for (size_t k = 0; k < 5; ++k)
    EXPECT_NEAR(sums[k] / erased, theirs["mean"][k].get<double>(), 5 * theirs["deviation"][k].get<double>() * std::sqrt(2.0 / kDraws)) << k;
  int some = 0;
  for (uint64_t i = 0; i < 2000; ++i) some += draw_erased({.probability = 0.25}, {100, 60}, RandomStream(5, i), 1000).width > 0;
  EXPECT_NEAR(some, 500, 100);
}

TEST(Erasing, ZeroesItsRectangleAlone) {
  std::vector<float> pixels(6 * 4 * 3, 1.0f);
  erase(pixels, {6, 4}, {1, 2, 3, 2});
  for (size_t y = 0; y < 4; ++y)
    for (size_t x = 0; x < 6; ++x)
      for (size_t c = 0; c < 3; ++c) EXPECT_EQ(pixels[3 * (6 * y + x) + c], x >= 1 && x < 4 && y >= 2 ? 0.0f : 1.0f);
}

TEST(Erasing, RefusesRangesThatMakeNoSense) {
  EXPECT_EQ(message_of(ErrorKind::usage, [] { check_augmentation({.erasing = {.probability = 1.5}}); }), "erasing 1.5 is no probability");
  EXPECT_EQ(message_of(ErrorKind::usage, [] { check_augmentation({.erasing = {.area_min = 0.5}}); }),
            "erasing 0.5 to 0.33 of the area; both lie in [0, 1], in order");
  EXPECT_EQ(message_of(ErrorKind::usage, [] { check_augmentation({.policy = {.magnitude = 31}}); }),
            "magnitude 31 of 31 bins; it counts from 0, of 2 bins or more");
}

}  // namespace
}  // namespace fovea::image
