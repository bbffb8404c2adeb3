// fovea augment.
#include <fovea/image.h>

#include "cli/support.h"

namespace fovea::cli {
namespace {

class Augment : public testing::Test {
 protected:
  void SetUp() override { draw_classes(folder_.path() / "pictures", 2); }
  std::string picture(const std::string& name) const { return folder_ / ("pictures/" + name); }

  Outcome sheet(std::vector<std::string> arguments, const std::string& out) const {
    arguments.insert(arguments.begin(), "augment");
    for (const std::string& more : {std::string("-o"), folder_ / out, std::string("--size"), std::string("16"), std::string("--json")})
      arguments.push_back(more);
    return run_fovea(arguments);
  }

  Folder folder_;
};

TEST_F(Augment, DrawsASheetThatItsSeedDecides) {
  const Outcome outcome = sheet({picture("red/0.bmp"), "--looks", "5", "--augment", "randaugment", "--erasing", "0.5"}, "a.png");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Image a = read_image(folder_ / "a.png");
  EXPECT_EQ(a.width, 3 * 20 + 4);
  EXPECT_EQ(a.height, 2 * 20 + 4);
  EXPECT_EQ(outcome.json(), (nlohmann::json{{"file", folder_ / "a.png"}, {"width", a.width}, {"height", a.height}}));
  Preprocessing p;
  p.width = p.height = 16;
  p.fit = Fit::squash;
  EXPECT_EQ(crop(a, 4, 4, 16, 16).pixels, fit(read_image(picture("red/0.bmp")), p).pixels);  // as validation sees it
  EXPECT_NE(crop(a, 24, 4, 16, 16).pixels, crop(a, 44, 4, 16, 16).pixels);

  sheet({picture("red/0.bmp"), "--looks", "5", "--augment", "randaugment", "--erasing", "0.5"}, "b.png");
  EXPECT_EQ(read_all(folder_ / "a.png"), read_all(folder_ / "b.png"));
  sheet({picture("red/0.bmp"), "--looks", "5", "--augment", "randaugment", "--erasing", "0.5", "--seed", "1"}, "c.png");
  EXPECT_NE(read_all(folder_ / "a.png"), read_all(folder_ / "c.png"));
}

TEST_F(Augment, MixesThePicturesOfAColumn) {
  const std::vector<std::string> pictures{
      picture("red/0.bmp"), picture("green/0.bmp"), picture("blue/0.bmp"), "--no-augment", "--looks", "4"};
  ASSERT_EQ(sheet(pictures, "plain.png").status, 0);
  const Image plain = read_image(folder_ / "plain.png");
  EXPECT_EQ(plain.width, 5 * 20 + 4);
  EXPECT_EQ(plain.height, 3 * 20 + 4);
  for (int64_t look = 1; look < 5; ++look) EXPECT_EQ(crop(plain, 4 + 20 * look, 4, 16, 16).pixels, crop(plain, 4, 4, 16, 16).pixels);
  std::vector<std::string> mixing = pictures;
  mixing.insert(mixing.end(), {"--mixup", "1"});
  ASSERT_EQ(sheet(mixing, "mixed.png").status, 0);
  const Image mixed = read_image(folder_ / "mixed.png");
  EXPECT_EQ(crop(mixed, 4, 4, 16, 56).pixels, crop(plain, 4, 4, 16, 56).pixels);
  for (int64_t look = 1; look < 5; ++look)
    EXPECT_NE(crop(mixed, 4 + 20 * look, 4, 16, 16).pixels, crop(plain, 4, 4, 16, 16).pixels) << look;
}

TEST_F(Augment, SaysWhatIsWrong) {
  expect_one_line(sheet({picture("red/0.bmp"), "--mixup", "0.2"}, "a.png"), 2, {"mixup", "there is 1"});
  expect_one_line(sheet({picture("red/0.bmp"), "--augment", "heavy"}, "a.png"), 2, {"heavy", "trivialaugment"});
  expect_one_line(sheet({picture("red/missing.bmp")}, "a.png"), 1, {"missing.bmp"});
  expect_one_line(sheet({picture("red/0.bmp")}, "nowhere/a.png"), 1, {"nowhere/a.png"});
}

}  // namespace
}  // namespace fovea::cli
