// Colour changes against torchvision on Pillow's images (tests/data/image/generate_augment.py), and what the random choices are made of.
#include "image/augment.h"

#include <map>
#include <set>

#include "base/json_value.h"
#include "image/color.h"
#include "image/fit.h"
#include "image/geometry.h"
#include "support.h"

namespace fovea::image {
namespace {

Image every_colour() {
  // numpy's meshgrid of three axes of 18 levels, in its default order of axes.
  Image image{324, 18, {}};
  for (int b = 0; b < 18; ++b) {
    for (int a = 0; a < 18; ++a) {
      for (int c = 0; c < 18; ++c) {
        for (int level : {a, b, c}) image.pixels.push_back(static_cast<uint8_t>(15 * level));
      }
    }
  }
  return image;
}

TEST(Color, EqualsPillow) {
  const auto answers = nlohmann::json::parse(std::ifstream(data_folder() / "augment.json"));
  const Image cat = read_image((data_folder() / "images" / "cat_palette.png").string(), Alpha::drop);
  for (const auto& answer : answers) {
    Image image = answer["picture"] == "cat" ? cat : every_colour();
    const double factor = answer["factor"];
    const std::string change = answer["change"];
    if (change == "brightness") adjust_brightness(image, factor);
    if (change == "contrast") adjust_contrast(image, factor);
    if (change == "saturation") adjust_saturation(image, factor);
    if (change == "hue") adjust_hue(image, factor);
    EXPECT_EQ(sha256(image.pixels), answer["sha256"].get<std::string>()) << answer.dump();
  }
  EXPECT_EQ(answers.size(), 46u);
}

// BiT's: what a draw shows is a part of the picture squashed to 20 x 20, and every part is shown by some draw.
TEST(Augment, TakesAPartOfTheSquashedPicture) {
  const Augmentation a{.enlarged = 1.25, .flip = 0};
  Preprocessing p;
  p.width = p.height = 16;
  const Image image = pattern(60, 45);
  Preprocessing whole = p;
  whole.width = whole.height = 20;
  whole.fit = Fit::squash;
  const Image squashed = fit(image, whole);
  std::map<std::vector<uint8_t>, int> parts;
  for (size_t top = 0; top <= 4; ++top)
    for (size_t left = 0; left <= 4; ++left) {
      std::vector<uint8_t> part;
      for (size_t y = 0; y < 16; ++y) {
        const auto row = squashed.pixels.begin() + static_cast<std::ptrdiff_t>(3 * ((top + y) * 20 + left));
        part.insert(part.end(), row, row + 48);
      }
      parts.emplace(std::move(part), 0);
    }
  ASSERT_EQ(parts.size(), 25u);
  for (int64_t index = 0; index < 400; ++index) {
    const auto found = parts.find(augment(image, a, p, {5, 0, index}).pixels);
    ASSERT_NE(found, parts.end()) << index;
    ++found->second;
  }
  for (const auto& [part, times] : parts) EXPECT_GT(times, 0);
  EXPECT_THROW(check_augmentation({.enlarged = 0.9}), Error);
  EXPECT_THROW(check_augmentation({.random_resized_crop = true, .enlarged = 1.25}), Error);
}

TEST(Augment, DependsOnItsDrawAlone) {
  Augmentation a{.random_resized_crop = true, .brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1};
  Preprocessing p;
  p.width = p.height = 24;
  const Image image = pattern(60, 45);
  std::set<std::string> seen;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    for (int64_t index = 0; index < 20; ++index) {
      const Image once = augment(image, a, p, {5, epoch, index});
      EXPECT_EQ(once.pixels, augment(image, a, p, {5, epoch, index}).pixels);
      seen.insert(sha256(once.pixels));
    }
  }
  EXPECT_EQ(seen.size(), 60u);
  EXPECT_NE(augment(image, a, p, {6, 0, 0}).pixels, augment(image, a, p, {5, 0, 0}).pixels);
}

TEST(Augment, WithoutRandomnessIsFit) {
  Preprocessing p;
  p.width = p.height = 24;
  p.resize = 30;
  const Image image = pattern(60, 45);
  EXPECT_EQ(augment(image, {.flip = 0}, p, {1, 2, 3}).pixels, fit(image, p).pixels);
  Image mirrored = fit(image, p);
  flip_horizontally(mirrored);
  EXPECT_EQ(augment(image, {.flip = 1}, p, {1, 2, 3}).pixels, mirrored.pixels);
  Image again = mirrored;
  flip_horizontally(again);
  EXPECT_EQ(again.pixels, fit(image, p).pixels);
}

TEST(Augment, FlipsHalfOfThem) {
  Preprocessing p;
  p.fit = Fit::squash;
  p.width = p.height = 8;
  const Image image = pattern(8, 8);
  int flipped = 0;
  for (int64_t index = 0; index < 1000; ++index) flipped += augment(image, {}, p, {1, 0, index}).pixels != image.pixels;
  EXPECT_NEAR(flipped, 500, 60);
}

// Red tells the column, green the row, so that the middle of a crop and its size can be read off the result.
TEST(Augment, RandomCropsCoverTheScalesAndShapesAsked) {
  Image ramp{250, 200, {}};
  for (int y = 0; y < 200; ++y) {
    for (int x = 0; x < 250; ++x) {
      for (int v : {x, y, 0}) ramp.pixels.push_back(static_cast<uint8_t>(v));
    }
  }
  Preprocessing p;
  p.width = p.height = 50;
  double least_area = 1, most_area = 0, least_ratio = 10, most_ratio = 0;
  for (int64_t index = 0; index < 400; ++index) {
    const Image out = augment(ramp, {.random_resized_crop = true, .scale_min = 0.2, .scale_max = 0.6, .flip = 0}, p, {1, 0, index});
    const auto at = [&](int64_t x, int64_t y, size_t c) {
      return static_cast<double>(out.pixels[static_cast<size_t>(3 * (50 * y + x)) + c]);
    };
    const double width = (at(45, 0, 0) - at(5, 0, 0)) * 50 / 40, height = (at(0, 45, 1) - at(0, 5, 1)) * 50 / 40;
    least_area = std::min(least_area, width * height / 50000);
    most_area = std::max(most_area, width * height / 50000);
    least_ratio = std::min(least_ratio, width / height);
    most_ratio = std::max(most_ratio, width / height);
  }
  EXPECT_NEAR(least_area, 0.2, 0.03);
  EXPECT_NEAR(most_area, 0.6, 0.03);
  EXPECT_NEAR(least_ratio, 0.75, 0.06);
  EXPECT_NEAR(most_ratio, 1.333, 0.08);
}

TEST(Augment, FallsBackToACentredCrop) {
  // No rectangle of a tenth of the ratio fits whole: the largest of the allowed shape, from the middle.
  const Image strip = pattern(400, 10);
  Preprocessing p;
  p.width = 20;
  p.height = 10;
  const Image out =
      augment(strip, {.random_resized_crop = true, .scale_min = 0.9, .ratio_min = 1, .ratio_max = 2, .flip = 0}, p, {1, 0, 0});
  EXPECT_EQ(out.pixels, crop(strip, 190, 0, 20, 10).pixels);
}

TEST(Augment, RefusesRangesThatMakeNoSense) {
  EXPECT_EQ(message_of(ErrorKind::usage, [] { check_augmentation({.scale_min = 0}); }),
            "random crops of 0 to 1 of the area; both lie in (0, 1], in order");
  EXPECT_EQ(message_of(ErrorKind::usage, [] { check_augmentation({.flip = 1.5}); }), "flip 1.5 is no probability");
  EXPECT_EQ(message_of(ErrorKind::usage, [] { check_augmentation({.hue = 0.6}); }), "hue jitter 0.6 is over 0.5");
}

}  // namespace
}  // namespace fovea::image
