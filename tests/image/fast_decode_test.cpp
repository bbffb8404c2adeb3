// Decoding at a part of the size: against Pillow's draft mode (tests/data/image/generate_scaled.py), and how far it goes.
#include <algorithm>
#include <cstdlib>

#include "base/json_value.h"
#include "image/fit.h"
#include "image/use.h"
#include "support.h"

namespace fovea::image {
namespace {

Preprocessing fast(int64_t side, Fit how = Fit::squash) {
  Preprocessing p;
  p.height = p.width = side;
  p.resize = side;
  p.fit = how;
  p.decode = Decode::fast;
  return p;
}

std::string file(const char* name) { return (data_folder() / "images" / name).string(); }

TEST(FastDecode, GivesThePixelsOfPillowsDraft) {
  const auto answers = nlohmann::json::parse(std::ifstream(data_folder() / "scaled.json"));
  for (const auto& [name, by_reduction] : answers.items()) {
    const std::vector<std::byte> bytes = read_bytes(data_folder() / name);
    for (const auto& [by, answer] : by_reduction.items()) {
      const Decoded decoded = decode_jpeg(bytes, [by = std::stoi(by)](Size) { return by; });
      EXPECT_EQ(decoded.width, answer["size"][0].get<int64_t>()) << name << " " << by;
      EXPECT_EQ(decoded.height, answer["size"][1].get<int64_t>()) << name << " " << by;
      EXPECT_EQ(sha256(decoded.pixels), answer["sha256"].get<std::string>()) << name << " " << by;
    }
  }
}

// The file with this orientation in it.
std::vector<std::byte> turned(std::vector<std::byte> jpeg, int orientation) {
  const unsigned char exif[] = {0xFF, 0xE1, 0, 34, 'E', 'x',  'i',  'f', 0, 0, 'M', 'M', 0, 42, 0,
                                0,    0,    8, 0,  1,   0x01, 0x12, 0,   3, 0, 0,   0,   1, 0,  static_cast<unsigned char>(orientation),
                                0,    0,    0, 0,  0,   0};
  const auto* bytes = reinterpret_cast<const std::byte*>(exif);
  jpeg.insert(jpeg.begin() + 2, bytes, bytes + sizeof(exif));
  return jpeg;
}

TEST(FastDecode, LeavesWhatIsMadeUseOf) {
  const auto size_of = [](const Image& image) { return std::pair(image.width, image.height); };
  const auto size = [](int64_t width, int64_t height) { return std::pair(width, height); };
  const std::string cup = file("cup_progressive_422.jpg");  // 600 x 400
  EXPECT_EQ(size_of(read_image(cup, fast(33))), size(75, 50));
  EXPECT_EQ(size_of(read_image(cup, fast(34))), size(150, 100));
  EXPECT_EQ(size_of(read_image(cup, fast(66))), size(150, 100));
  EXPECT_EQ(size_of(read_image(cup, fast(133))), size(300, 200));
  EXPECT_EQ(size_of(read_image(cup, fast(134))), size(600, 400));
  // The shorter side decides where the middle is cut out, the longer one where bands are put around.
  EXPECT_EQ(size_of(read_image(cup, fast(75, Fit::crop))), size(300, 200));
  EXPECT_EQ(size_of(read_image(cup, fast(75, Fit::pad))), size(150, 100));
  // A picture on its side is measured upright: 400 x 600.
  Preprocessing tall = fast(100);
  tall.width = 66;
  EXPECT_EQ(size_of(read_image(cup, tall)), size(300, 200));
  EXPECT_EQ(size_of(decode_image(turned(read_bytes(cup), 6), tall)), size(100, 150));
  // The smallest crop, of the smallest share and the narrowest shape, is more than a third of the sides.
  const Use crops{fast(50), CropRange{.scale_min = 0.2}};
  EXPECT_EQ(size_of(read_for_use(cup, crops)), size(300, 200));
  // Sides that are not whole numbers then: 1203 x 801, and of 1204 x 804 an eighth.
  EXPECT_EQ(size_of(read_image(file("cup_large.jpg"), fast(50))), size(1203, 801));
  EXPECT_EQ(size_of(decode_image(encode_jpeg(pattern(1204, 804), 90), fast(50))), size(301, 201));
}

TEST(FastDecode, IsExactWhereNothingCanBeLeftOut) {
  for (const char* name : {"cat_420.jpg", "rocket.png", "cup.webp"})
    EXPECT_EQ(read_image(file(name), fast(256)).pixels, read_image(file(name)).pixels) << name;
  Preprocessing exact = fast(64);
  exact.decode = Decode::exact;
  EXPECT_EQ(read_image(file("cup_large.jpg"), exact).pixels, read_image(file("cup_large.jpg")).pixels);
  EXPECT_EQ(read_image(file("rocket.png"), fast(16)).pixels, read_image(file("rocket.png")).pixels);
}

// A smaller inverse transform averages blocks, the resize that it stands in for weighs their neighbours too: pixels differ at edges. The
// mean differences found are 0.17 to 0.28 of 255 levels on a soft picture, 0.28 to 0.54 on a sharp one of the same kind of file, 0.44
// to 1.09 on a small one whose colours have half the columns; no pixel differs by more than 12. (Decoded at sides that do not divide, what
// is resized lies beside where it belongs: 3.8 on average, up to 70.)
TEST(FastDecode, ChangesWhatTheNetworkSeesByLittle) {
  struct Case {
    const char* name;
    std::vector<std::byte> bytes;
    double mean;
  };
  const Image rocket = read_image(file("rocket.png")), large = read_image(file("cup_large.jpg"));
  const Case cases[] = {{"soft", encode_jpeg(resize(rocket, 2560, 1712, Interpolation::bicubic), 90), 0.4},
                        {"sharp", encode_jpeg(crop(large, 0, 0, 1200, 800), 90), 0.7},
                        {"cup", read_bytes(file("cup_progressive_422.jpg")), 1.3}};
  constexpr int most = 15;
  for (const auto& [name, bytes, mean] : cases) {
    const Image every = decode_image(bytes);
    for (const int64_t by : {24, 12, 9, 6, 5}) {
      for (const Interpolation interpolation : {Interpolation::bilinear, Interpolation::bicubic}) {
        Preprocessing p = fast(every.width / by);
        p.interpolation = interpolation;
        const Image part = decode_image(bytes, p), quick = fit(part, p), whole = fit(every, p);
        ASSERT_LT(part.width, every.width);
        ASSERT_EQ(quick.pixels.size(), whole.pixels.size());
        int64_t sum = 0;
        int worst = 0;
        for (size_t i = 0; i < quick.pixels.size(); ++i) {
          const int difference = std::abs(quick.pixels[i] - whole.pixels[i]);
          sum += difference;
          worst = std::max(worst, difference);
        }
        const std::string where = fmt::format("{}, 1/{}, {}", name, by, to_string(interpolation));
        EXPECT_LT(static_cast<double>(sum) / static_cast<double>(quick.pixels.size()), mean) << where;
        EXPECT_LE(worst, most) << where;
        EXPECT_GT(sum, 0) << where;
      }
    }
  }
}

TEST(FastDecode, BadFilesAreToldAllTheSame) {
  std::vector<std::byte> half = read_bytes(file("cup_large.jpg"));
  half.resize(half.size() / 2);
  EXPECT_EQ(message_of(ErrorKind::input, [&] { decode_image(half, fast(64)); }), "truncated JPEG: the data ends before the picture does");
}

}  // namespace
}  // namespace fovea::image
