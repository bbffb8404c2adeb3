// Writing PNG: what was written is read as it was, here and by whoever checks sums and sizes.
#include "support.h"

namespace fovea::image {
namespace {

TEST(WritePng, GivesBackEveryPixel) {
  TemporaryFolder folder;
  for (const auto& [width, height] : {std::pair<int64_t, int64_t>{1, 1}, {7, 3}, {1, 40}, {133, 97}}) {
    const Image image = pattern(width, height, 5);
    const Image decoded = decode_image(encode_png(image));
    EXPECT_EQ(decoded.width, width);
    EXPECT_EQ(decoded.height, height);
    EXPECT_EQ(decoded.pixels, image.pixels);
    const std::string path = (folder / "picture.png").string();
    write_png(path, image);
    EXPECT_EQ(read_image(path).pixels, image.pixels);
  }
}

TEST(WritePng, NamesWhatIsWrong) {
  TemporaryFolder folder;
  const Image image = pattern(4, 4);
  const std::string nowhere = (folder / "missing/picture.png").string();
  EXPECT_NE(message_of(ErrorKind::io, [&] { write_png(nowhere, image); }).find(nowhere), std::string::npos);
  Image odd = image;
  odd.pixels.pop_back();
  EXPECT_EQ(message_of(ErrorKind::usage, [&] { encode_png(odd); }), "an image of 4 x 4 pixels holds 47 bytes, not 48");
}

}  // namespace
}  // namespace fovea::image
