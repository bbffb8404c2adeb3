// Decoding: the rarer encodings against Pillow (tests/data/image/generate_variants.py), and files that are no good.
#include <sys/stat.h>

#include <map>
#include <random>

#include "base/json_value.h"
#include "image/exif.h"
#include "support.h"

namespace fovea::image {
namespace {

using nlohmann::json;

const json& variants() {
  static const json parsed = json::parse(std::ifstream(data_folder() / "variants.json"));
  return parsed;
}

class Variants : public testing::TestWithParam<std::string> {};

TEST_P(Variants, AreDecodedAsPillowDoes) {
  const json& answer = variants()[GetParam()];
  const std::string path = (data_folder() / "variants" / GetParam()).string();
  for (const Alpha alpha : {Alpha::drop, Alpha::white}) {
    const Image image = read_image(path, alpha);
    EXPECT_EQ(image.width, answer["size"][0].get<int64_t>());
    EXPECT_EQ(image.height, answer["size"][1].get<int64_t>());
    EXPECT_EQ(sha256(image.pixels), answer[to_string(alpha)].get<std::string>()) << to_string(alpha);
  }
}

std::vector<std::string> variant_names() {
  std::vector<std::string> result;
  for (const auto& [name, answer] : variants().items()) result.push_back(name);
  return result;
}

INSTANTIATE_TEST_SUITE_P(Pictures, Variants, testing::ValuesIn(variant_names()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

std::string message_from(const std::vector<std::byte>& bytes) {
  return message_of(ErrorKind::input, [&] { decode_image(bytes); });
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void put_u32(std::vector<std::byte>& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::byte>(value >> shift));
}

uint32_t crc32(std::span<const std::byte> bytes) {
  uint32_t crc = ~0u;
  for (std::byte b : bytes) {
    crc ^= static_cast<uint32_t>(b);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

std::vector<std::byte> png_header(uint32_t width, uint32_t height) {
  std::vector<std::byte> header = bytes_of("IHDR");
  put_u32(header, width);
  put_u32(header, height);
  for (int value : {8, 2, 0, 0, 0}) header.push_back(static_cast<std::byte>(value));
  std::vector<std::byte> file = bytes_of("\x89PNG\r\n\x1A\n");
  put_u32(file, 13);
  file.insert(file.end(), header.begin(), header.end());
  put_u32(file, crc32(header));
  return file;
}

TEST(DecodeErrors, SayWhatIsWrong) {
  EXPECT_EQ(message_from({}), "empty file");
  EXPECT_EQ(message_from(bytes_of("Hello, world, this is no picture")), "not a picture (starts with \"Hello, world\")");
  EXPECT_EQ(message_from(bytes_of("\x01\x02\xFE")), "not a picture (starts with 01 02 fe)");
  EXPECT_EQ(message_from(png_header(60000, 60000)), "60000 x 60000 pixels, at most 178956970 in all");
  EXPECT_EQ(message_from(png_header(20000, 8000)), "truncated PNG: 33 bytes cannot hold 20000 x 8000 pixels");
  EXPECT_EQ(message_from(bytes_of("BM12345678")), "truncated BMP: 10 bytes end inside its header");
}

TEST(DecodeErrors, TruncationIsNamedInEveryFormat) {
  const std::map<std::string, std::string> expected{{"cat_420.jpg", "truncated JPEG: the data ends before the picture does"},
                                                    {"cup_progressive_422.jpg", "truncated JPEG: the data ends before the picture does"},
                                                    {"cat_cmyk.jpg", "truncated JPEG: the data ends before the picture does"},
                                                    {"rocket.png", "truncated PNG: "},
                                                    {"cup.webp", "truncated WebP: the data ends before the picture does"},
                                                    {"cat_palette.gif", "truncated GIF: "},
                                                    {"cup.bmp", "truncated BMP: 22627 bytes where its header promises 45254"}};
  for (const auto& [name, beginning] : expected) {
    std::vector<std::byte> bytes = read_bytes(data_folder() / "images" / name);
    bytes.resize(bytes.size() / 2);
    EXPECT_EQ(message_from(bytes).substr(0, beginning.size()), beginning) << name;
  }
}

TEST(DecodeErrors, NameTheFile) {
  TemporaryFolder folder;
  const auto message = [&](const std::string& name) {
    return message_of(ErrorKind::input, [&] { read_image((folder / name).string()); }).substr(folder.path().string().size() + 1);
  };
  write_bytes(folder / "empty.jpg", "");
  write_bytes(folder / "notes.txt", "some notes");
  write_bytes(folder / "huge.png", png_header(60000, 60000));
  std::vector<std::byte> half = read_bytes(data_folder() / "images" / "cat_420.jpg");
  half.resize(half.size() / 2);
  write_bytes(folder / "half.png", half);  // wrongly named, too
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(message("empty.jpg"), "empty.jpg: empty file");
  EXPECT_EQ(message("notes.txt"), "notes.txt: not a picture (starts with \"some notes\")");
  EXPECT_EQ(message("huge.png"), "huge.png: 60000 x 60000 pixels, at most 178956970 in all");
  EXPECT_EQ(message("half.png"), "half.png: truncated JPEG: the data ends before the picture does");
  EXPECT_EQ(message("pipe"), "pipe: not a regular file");
  EXPECT_EQ(message("absent.jpg"), "absent.jpg: No such file or directory");
  EXPECT_EQ(message("."), ".: a folder, not a picture");
}

TEST(Decode, GoesByContentNotByName) {
  TemporaryFolder folder;
  write_bytes(folder / "cup.jpg", read_bytes(data_folder() / "images" / "cup.webp"));
  EXPECT_EQ(read_image((folder / "cup.jpg").string()).width, 300);
}

// Every prefix of the small pictures, many of the others; each is a picture or an Error, and nothing else happens.
TEST(Damage, TruncatedAnywhere) {
  for (const char* part : {"images", "variants"}) {
    for (const auto& entry : std::filesystem::directory_iterator(data_folder() / part)) {
      const std::vector<std::byte> whole = read_bytes(entry.path());
      const size_t step = whole.size() < 1500 ? 1 : whole.size() / 150;
      size_t errors = 0, tried = 0;
      for (size_t size = 0; size < whole.size(); size += step, ++tried) {
        const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        try {
          const Image image = decode_image(cut);
          EXPECT_EQ(image.pixels.size(), static_cast<size_t>(3 * image.width * image.height));
        } catch (const Error&) {
          ++errors;
        }
      }
      EXPECT_GT(errors, tried / 3) << entry.path();  // of a file with much after its pixels, some prefixes are whole pictures
    }
  }
}

TEST(Damage, RandomBytes) {
  std::mt19937 random(7);
  for (const char* part : {"images", "variants"}) {
    for (const auto& entry : std::filesystem::directory_iterator(data_folder() / part)) {
      const std::vector<std::byte> whole = read_bytes(entry.path());
      for (int attempt = 0; attempt < (whole.size() < 20000 ? 60 : 8); ++attempt) {
        std::vector<std::byte> damaged = whole;
        // Half of the damage goes to the headers, where the sizes are.
        for (int i = 0; i < 3; ++i)
          damaged[random() % (attempt % 2 ? damaged.size() : std::min<size_t>(damaged.size(), 200))] = static_cast<std::byte>(random());
        try {
          const Image image = decode_image(damaged);
          EXPECT_EQ(image.pixels.size(), static_cast<size_t>(3 * image.width * image.height));
        } catch (const Error& error) {
          EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::input)) << error.what();
        }
      }
    }
  }
}

TEST(Exif, DamagedBlocksMeanUpright) {
  EXPECT_EQ(exif_orientation({}), 1);
  const std::string_view little("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 22);
  const auto block = bytes_of(little);
  ASSERT_EQ(exif_orientation(block), 6);
  for (size_t size = 0; size < block.size(); ++size) EXPECT_EQ(exif_orientation(Bytes(block).first(size)), 1) << size;
  const std::string_view big("Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0", 28);
  EXPECT_EQ(exif_orientation(bytes_of(big)), 3);
  auto out_of_range = block;
  out_of_range[18] = std::byte{9};
  EXPECT_EQ(exif_orientation(out_of_range), 1);
  auto far_away = block;
  far_away[6] = far_away[7] = std::byte{0xFF};
  EXPECT_EQ(exif_orientation(far_away), 1);
}

}  // namespace
}  // namespace fovea::image
