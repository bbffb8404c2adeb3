// What the answers of other libraries do not cover: windows of a result, parts of a source, the fits, memory of others.
#include "image/resize.h"

#include "image/fit.h"
#include "support.h"

namespace fovea::image {
namespace {

TEST(Resize, AWindowIsAPartOfTheWhole) {
  for (const auto& [width, height] : {std::pair<int64_t, int64_t>{53, 37}, {9, 140}, {140, 9}, {1, 1}, {2, 3}}) {
    const Image image = pattern(width, height);
    for (const Interpolation interpolation : {Interpolation::nearest, Interpolation::bilinear, Interpolation::bicubic}) {
      for (const auto& [w, h] : {std::pair<int64_t, int64_t>{31, 64}, {80, 17}, {53, 20}, {20, 37}, {5, 5}}) {
        const Image whole = resize(image, w, h, interpolation);
        const Window window{w / 3, h / 4, w - w / 3 - 1, h - h / 4 - 1};
        std::vector<uint8_t> part(static_cast<size_t>(3 * window.width * window.height));
        resize_window(view(image), {w, h}, window, {interpolation}, part.data(), 3 * window.width);
        EXPECT_EQ(part, crop(whole, window.left, window.top, window.width, window.height).pixels)
            << width << "x" << height << " to " << w << "x" << h << " " << to_string(interpolation);
      }
    }
  }
}

TEST(Resize, APartOfASourceIsAPictureOfItsOwn) {
  const Image image = pattern(40, 30);
  const Image part_alone = crop(image, 7, 5, 20, 25);  // to the very last row
  std::vector<uint8_t> resized(3 * 13 * 11);
  resize_window(part(view(image), 7, 5, 20, 25), {13, 11}, {0, 0, 13, 11}, {Interpolation::bicubic}, resized.data(), 3 * 13);
  EXPECT_EQ(resized, resize(part_alone, 13, 11, Interpolation::bicubic).pixels);
}

TEST(Resize, VeryLongSides) {
  const Image line = pattern(3'000'000, 1);
  const Image small = resize(line, 8, 2, Interpolation::bicubic);
  for (int64_t x = 0; x < 8; ++x) {  // a part at a time inside, the same as one column alone
    std::vector<uint8_t> column(3 * 2);
    resize_window(view(line), {8, 2}, {x, 0, 1, 2}, {Interpolation::bicubic}, column.data(), 3);
    EXPECT_EQ(column, crop(small, x, 0, 1, 2).pixels) << x;
  }
  Preprocessing p;  // the shorter side becomes 256, so the longer would be 768 million pixels
  EXPECT_EQ(fit(line, p).pixels.size(), 3u * 224 * 224);
}

TEST(Resize, RefusesWhatMakesNoSense) {
  const Image image = pattern(4, 4);
  EXPECT_EQ(message_of(ErrorKind::usage, [&] { resize(image, 0, 5, Interpolation::bilinear); }), "resizing to 0 x 5 pixels");
  EXPECT_EQ(message_of(ErrorKind::usage,
                       [&] {
                         resize({4, 4, {}}, 2, 2, Interpolation::bilinear);
                       }),
            "an image of 4 x 4 pixels holds 0 bytes, not 48");
  EXPECT_EQ(message_of(ErrorKind::usage, [] { resize(Image{}, 2, 2, Interpolation::bilinear); }),
            "an empty image: no picture was read into it");
  EXPECT_EQ(message_of(ErrorKind::usage, [] { encode_png({}); }), "an empty image: no picture was read into it");
  EXPECT_EQ(message_of(ErrorKind::usage,
                       [] {
                         fit(Image{3, 0, {}}, Preprocessing{});
                       }),
            "an image of 3 x 0 pixels, at least 1 x 1 expected");
  EXPECT_EQ(message_of(ErrorKind::input, [&] { resize(image, 60000, 60000, Interpolation::nearest); }),
            "60000 x 60000 pixels, at most 178956970 in all");
}

TEST(Crop, OutsideIsBlack) {
  const Image image = pattern(5, 4);
  const Image cropped = crop(image, -2, 1, 9, 5);
  for (int64_t y = 0; y < 5; ++y) {
    for (int64_t x = 0; x < 9; ++x) {
      const int64_t from_x = x - 2, from_y = y + 1;
      const bool inside = from_x >= 0 && from_x < 5 && from_y < 4;
      for (int64_t c = 0; c < 3; ++c) {
        EXPECT_EQ(cropped.pixels[static_cast<size_t>(3 * (9 * y + x) + c)],
                  inside ? image.pixels[static_cast<size_t>(3 * (5 * from_y + from_x) + c)] : 0);
      }
    }
  }
  EXPECT_EQ(crop(image, 100, 100, 2, 2).pixels, std::vector<uint8_t>(12, 0));
}

TEST(Fit, PadKeepsTheShapeOnTheMeanColour) {
  Preprocessing p;
  p.fit = Fit::pad;
  p.width = p.height = 32;
  const Image image = pattern(64, 24);
  const Image padded = fit(image, p);
  const Image inner = resize(image, 32, 12, p.interpolation);
  EXPECT_EQ(crop(padded, 0, 10, 32, 12).pixels, inner.pixels);
  for (int64_t y : {0, 9, 22, 31}) {
    for (size_t c = 0; c < 3; ++c) EXPECT_EQ(padded.pixels[static_cast<size_t>(3 * 32 * y) + c], (std::array{124, 116, 104})[c]) << y;
  }
}

TEST(Fit, PublicFunctionsAgree) {
  // A picture that has the network's size already still goes through `resize` and the crop.
  Preprocessing p;
  const Image image = pattern(224, 224);
  const Tensor planes = preprocess(image, p);
  std::vector<float> channels_last(3 * 224 * 224);
  normalize_into(image, p, channels_last.data());
  for (size_t i = 0; i < 224 * 224; ++i) ASSERT_EQ(channels_last[3 * i + 1], planes.values<float>()[224 * 224 + i]);
  EXPECT_NE(fit(image, p).pixels, image.pixels);
}

TEST(FromMemory, StridesAndOrders) {
  const uint8_t rows[] = {1, 2, 3, 4, 5, 6, 99, 99, 7, 8, 9, 10, 11, 12, 99, 99};
  EXPECT_EQ(image_from_memory(rows, 2, 2, 8).pixels, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(image_from_memory(rows, 2, 2, 8, PixelOrder::bgr).pixels, (std::vector<uint8_t>{3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}));
  EXPECT_EQ(image_from_memory(rows, 2, 1).pixels, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(message_of(ErrorKind::usage, [&] { image_from_memory(rows, 2, 2, 5); }), "rows of 2 pixels are 5 bytes apart, less than 6");
}

}  // namespace
}  // namespace fovea::image
