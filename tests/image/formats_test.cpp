// Formats beside JPEG, PNG, WebP and GIF, against Pillow (tests/data/image/generate_formats.py), and what all of them share.
#include "image/formats.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/json_value.h"
#include "support.h"

namespace fovea::image {
namespace {

using nlohmann::json;

std::filesystem::path formats_folder() { return data_folder() / "formats"; }

// "FILE" or "FILE#PAGE".
std::pair<std::string, int64_t> file_and_page(const std::string& name) {
  const size_t mark = name.find('#');
  return {name.substr(0, mark), mark == name.npos ? 0 : std::stoll(name.substr(mark + 1))};
}

const Format* format_by_name(const std::string& file) {
  const std::string extension = std::filesystem::path(file).extension().string().substr(1);
  for (const Format& format : formats())
    if (fmt::format(" {} ", format.extensions).find(" " + extension + " ") != std::string::npos) return &format;
  return nullptr;
}

bool is_read(const std::string& file) {
  const Format* format = format_by_name(file);
  return format && format->is_read();
}

Preprocessing page_with(int64_t page, Alpha alpha) {
  Preprocessing preprocessing;
  preprocessing.page = page;
  preprocessing.alpha = alpha;
  return preprocessing;
}

const json& answers() {
  static const json parsed = json::parse(std::ifstream(data_folder() / "formats.json"));
  return parsed;
}

class Formats : public testing::TestWithParam<std::string> {};

TEST_P(Formats, AreDecodedAsPillowDoes) {
  const json& answer = answers()[GetParam()];
  const auto [file, page] = file_and_page(GetParam());
  const std::string path = (formats_folder() / file).string();
  if (!is_read(file)) {
    EXPECT_NE(message_of(ErrorKind::input, [&] { read_image(path); }).find("which this build of fovea does not read"), std::string::npos);
    return;
  }
  for (const Alpha alpha : {Alpha::drop, Alpha::white}) {
    const Image image = read_image(path, page_with(page, alpha));
    ASSERT_EQ(image.width, answer["size"][0].get<int64_t>());
    ASSERT_EQ(image.height, answer["size"][1].get<int64_t>());
    EXPECT_EQ(sha256(image.pixels), answer[to_string(alpha)].get<std::string>()) << to_string(alpha);
  }
}

std::vector<std::string> exact_names() {
  std::vector<std::string> result;
  for (const auto& [name, answer] : answers().items())
    if (!answer.contains("mean")) result.push_back(name);
  return result;
}

INSTANTIATE_TEST_SUITE_P(Pictures, Formats, testing::ValuesIn(exact_names()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

// Lossy formats whose colours two decoders convert by different roundings: within what was found between them and Pillow.
TEST(FormatsOfLossyColours, AreNearPillow) {
  int64_t compared = 0;
  for (const auto& [name, answer] : answers().items()) {
    if (!answer.contains("mean") || !is_read(file_and_page(name).first)) continue;
    const auto [file, page] = file_and_page(name);
    const Image image = read_image((formats_folder() / file).string(), page_with(page, Alpha::drop));
    const Image expected = read_image((formats_folder() / (name + ".expected.png")).string());
    ASSERT_EQ(image.pixels.size(), expected.pixels.size()) << name;
    int64_t sum = 0, most = 0;
    for (size_t i = 0; i < image.pixels.size(); ++i) {
      const int64_t difference = std::abs(image.pixels[i] - expected.pixels[i]);
      sum += difference;
      most = std::max(most, difference);
    }
    EXPECT_LE(static_cast<double>(sum) / static_cast<double>(image.pixels.size()), answer["mean"].get<double>()) << name;
    EXPECT_LE(most, answer["most"].get<int64_t>()) << name;
    ++compared;
  }
  EXPECT_GT(compared, is_read("x.avif") ? 2 : -1);
}

std::vector<std::byte> bytes_in(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string error_of(std::string_view text) {
  return message_of(ErrorKind::input, [&] { decode_image(bytes_in(text)); });
}

TEST(Pam, HoldsWhatPnmHolds) {
  const std::string pixels = "abcdefABCDEF";
  const auto pam = [&](const char* words, const std::string& data) {
    return decode_image(bytes_in(std::string("P7\n# a comment\nWIDTH 2\nHEIGHT 2\n") + words + "ENDHDR\n" + data), Alpha::drop).pixels;
  };
  const auto pnm = [&](const std::string& head, const std::string& data) { return decode_image(bytes_in(head + data)).pixels; };
  EXPECT_EQ(pam("DEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\n", pixels), pnm("P6 2 2 255\n", pixels));
  EXPECT_EQ(pam("DEPTH 3\nMAXVAL 127\nTUPLTYPE RGB\n", pixels), pnm("P6 2 2 127\n", pixels));
  EXPECT_EQ(pam("DEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\n", "abcd"), pnm("P5 2 2 255\n", "abcd"));
  EXPECT_EQ(pam("DEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\n", std::string("\0\1\1\0", 4)), pnm("P1 2 2\n", "1 0 0 1\n"));
  EXPECT_EQ(pam("DEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\n", "a0b1c2d3"), pnm("P5 2 2 255\n", "abcd"));
  EXPECT_EQ(decode_image(bytes_in(std::string("P7 WIDTH 1 HEIGHT 1 DEPTH 4 MAXVAL 255 ENDHDR\nabc") + '\0')).pixels,
            (std::vector<uint8_t>{255, 255, 255}));
  EXPECT_EQ(error_of("P7\nWIDTH 2\nHEIGHT 2\nDEPTH 5\nMAXVAL 255\nENDHDR\n"), "PAM of 5 channels; 1 to 4 are read");
}

TEST(FormatErrors, NameWhatTheFileIs) {
  EXPECT_EQ(error_of("8BPS and more"), "a Photoshop document (PSD), which fovea does not read");
  EXPECT_EQ(error_of("%PDF-1.4 and more"), "a PDF document, which fovea does not read");
  EXPECT_EQ(error_of("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), "an SVG drawing, which fovea does not read");
  EXPECT_EQ(error_of("<?xml version=\"1.0\"?>\n<svg/>"), "an SVG drawing, which fovea does not read");
  EXPECT_EQ(error_of(std::string_view("\0\0\0\x18"
                                      "ftypisom\0\0\0\0",
                                      16)),
            "a video or another ISO media file, which fovea does not read");
  EXPECT_EQ(error_of("PK\x03\x04 a zip"), "a zip archive, which fovea does not read");
  EXPECT_EQ(error_of("P6\n1 1\n99999\n"), "damaged PPM: its greatest value is 99999, from 1 to 65535 expected");
  EXPECT_EQ(error_of("P3\n1 1\n200\n1 201 3\n"), "damaged PPM: a value of 201 or more, 200 is its greatest");
  EXPECT_EQ(error_of("P1\n2 1\n1 7\n"), "damaged PBM: a byte 55 where 0 or 1 is expected");
}

TEST(FormatErrors, AreToldBeforeMuchIsAsked) {
  EXPECT_EQ(error_of("P6 60000 60000 255\n"), "60000 x 60000 pixels, at most 178956970 in all");
  EXPECT_EQ(error_of("P6 13000 13000 255\nabc"), "truncated PPM: 22 bytes where its header promises 507000019");
  EXPECT_EQ(error_of("P3 13000 13000 255\n1 2 3"), "truncated PPM: 24 bytes where its header promises 1014000018");
  EXPECT_EQ(error_of(std::string_view("\0\0\2\0\0\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\x20\0", 18)),
            "65535 x 65535 pixels, at most 178956970 in all");
  EXPECT_EQ(error_of(std::string_view("\0\0\x0A\0\0\0\0\0\0\0\0\0\x20\x20\x20\x20\x20\0", 18)),
            "truncated TGA: the data ends before the picture does");
  std::string bmp("BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\0\0\1\0\0\0\1\0\1\0\x18\0", 30);
  std::string runs("BM\0\0\0\0\0\0\0\0\x3A\0\0\0\x28\0\0\0\x10\x27\0\0\x10\x27\0\0\1\0\x8\0\1\0\0\0", 34);
  runs += std::string(12, '\0') + std::string("\1\0\0\0\0\0\0\0", 8) + std::string(4, '\0') + std::string("\0\1", 2);
  EXPECT_EQ(error_of(runs), "truncated BMP: 60 bytes cannot hold 10000 x 10000 pixels");
  EXPECT_EQ(error_of(bmp + std::string(30, '\0')), "65536 x 65536 pixels, at most 178956970 in all");
}

// Bits as JPEG XL has them: the lowest first.
std::string jxl_of_size(uint32_t width, uint32_t height) {
  std::string bits = "0";  // no multiple of 8
  const auto put = [&](uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bits += value >> i & 1 ? '1' : '0';
  };
  put(3, 2);
  put(height - 1, 30);
  put(0, 3);  // no fixed ratio
  put(3, 2);
  put(width - 1, 30);
  put(1, 1);  // all else as usual
  std::string file = "\xFF\x0A";
  for (size_t i = 0; i < bits.size(); i += 8) {
    int byte = 0;
    for (size_t b = 0; b < 8 && i + b < bits.size(); ++b) byte |= (bits[i + b] - '0') << b;
    file += static_cast<char>(byte);
  }
  return file + std::string(40, '\0');
}

TEST(FormatErrors, OfGiganticPicturesInLibrariesFormats) {
  const auto patched = [](const char* file, std::string_view before, size_t behind, std::string_view by) {
    std::vector<std::byte> bytes = read_bytes(formats_folder() / file);
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const size_t at = text.find(before);
    EXPECT_NE(at, text.npos) << file;
    text.replace(at + before.size() + behind, by.size(), by);
    return text;
  };
  constexpr std::string_view many("\0\0\xEA\x60\0\0\xEA\x60", 8);  // 60000 twice, big-endian
  const std::string told = "60000 x 60000 pixels, at most 178956970 in all";
  if (has_tiff()) {
    std::string tiff = patched("grey2.tif", std::string_view("\1\0\0\3\0\0\0\1", 8), 0, "\xEA\x60");
    const size_t height = tiff.find(std::string_view("\1\1\0\3\0\0\0\1", 8));
    ASSERT_NE(height, tiff.npos);
    tiff.replace(height + 8, 2, "\xEA\x60");
    EXPECT_EQ(error_of(tiff), told);
  }
  if (has_jpeg2000()) {
    EXPECT_EQ(
        error_of(patched("tiles.j2k", std::string_view("\xFF\x51", 2), 4, std::string(many) + std::string(8, '\0') + std::string(many))),
        told);
  }
  if (has_jpegxl()) {
    EXPECT_EQ(error_of(jxl_of_size(60000, 60000)), told);
    EXPECT_NE(error_of(jxl_of_size(300, 200)), "300 x 200 pixels");
  }
  if (has_heif()) {
    for (const char* file : {"grey.avif", "yuv444.heic"}) EXPECT_NE(error_of(patched(file, "ispe", 4, many)), "") << file;
  }
}

TEST(FormatErrors, PagesThatThereAreNot) {
  const auto error = [](const char* file, int64_t page) {
    return message_of(ErrorKind::input, [&] { decode_image(read_bytes(data_folder() / file), page_with(page, Alpha::white)); });
  };
  EXPECT_EQ(error("images/cat_420.jpg", 2), "page 2 of a JPEG, of which fovea reads the first picture alone");
  EXPECT_EQ(error("formats/several.ico", 4), "page 4 of an ICO, which has 3");
  if (is_read("x.tif")) {
    EXPECT_EQ(error("formats/pages.tif", 9), "page 9 of a TIFF, which has 3");
  }
  if (is_read("x.heic")) {
    EXPECT_EQ(error("formats/two.heic", 3), "page 3 of HEIC, which has 2");
  }
  EXPECT_EQ(decode_image(read_bytes(data_folder() / "images/cat_420.jpg"), page_with(1, Alpha::white)).pixels,
            decode_image(read_bytes(data_folder() / "images/cat_420.jpg")).pixels);
  const auto side = [](int64_t page) {
    return decode_image(read_bytes(formats_folder() / "several.ico"), page_with(page, Alpha::white)).width;
  };
  EXPECT_EQ(side(1), 4);
  EXPECT_EQ(side(2), 31);
}

Preprocessing with_range(const char* range) {
  Preprocessing preprocessing;
  preprocessing.range = parse_range(range);
  return preprocessing;
}

TEST(WideGrey, IsStretchedWhereItIsAskedFor) {
  const std::vector<std::byte> bytes = read_bytes(formats_folder() / "p5_16.pgm");
  const size_t count = 31 * 22;
  std::vector<double> values;
  for (size_t i = bytes.size() - 2 * count; i < bytes.size(); i += 2)
    values.push_back(256.0 * std::to_integer<int>(bytes[i]) + std::to_integer<int>(bytes[i + 1]));
  const auto [least, most] = std::ranges::minmax(values);
  const auto check = [&](const char* range, double low, double high) {
    const Image image = decode_image(bytes, with_range(range));
    for (size_t i = 0; i < count; ++i) {
      const double expected = std::clamp(std::floor((values[i] - low) / (high - low) * 255 + 0.5), 0.0, 255.0);
      ASSERT_EQ(image.pixels[3 * i], static_cast<uint8_t>(expected)) << range << " " << i;
    }
  };
  const WideGreys before = wide_greys();
  check("auto", least, most);
  check("100,400.5", 100, 400.5);
  check("0,65535", 0, 65535);
  EXPECT_EQ(decode_image(bytes).pixels[0], static_cast<uint8_t>(std::min(values[0], 255.0)));
  EXPECT_EQ(wide_greys().stretched, before.stretched + 3);
  EXPECT_EQ(wide_greys().cut_off, before.cut_off + 1);
}

TEST(WideGrey, OfAPngHasItsHighByteWithoutARange) {
  const std::vector<std::byte> bytes = read_bytes(data_folder() / "images/cat_gray16.png");
  const Image plain = decode_image(bytes), whole = decode_image(bytes, with_range("0,65535"));
  for (size_t i = 0; i < plain.pixels.size(); ++i) ASSERT_LE(std::abs(plain.pixels[i] - whole.pixels[i]), 1) << i;
  EXPECT_NE(decode_image(bytes, with_range("auto")).pixels, plain.pixels);
  const std::vector<std::byte> narrow = read_bytes(data_folder() / "images/cat_gray.png");
  EXPECT_EQ(decode_image(narrow, with_range("auto")).pixels, decode_image(narrow).pixels);  // of 8 bits nothing is stretched
}

TEST(WideGrey, WithoutANumberIsBlack) {
  const std::string head = "Pf\n3 1\n-1\n";
  const float values[] = {std::nanf(""), 3, 7};
  std::string file = head + std::string(reinterpret_cast<const char*>(values), sizeof values);
  EXPECT_EQ(decode_image(bytes_in(file), with_range("auto")).pixels, (std::vector<uint8_t>{0, 0, 0, 0, 0, 0, 255, 255, 255}));
  EXPECT_EQ(decode_image(bytes_in(file)).pixels, (std::vector<uint8_t>{0, 0, 0, 3, 3, 3, 7, 7, 7}));
}

TEST(Ranges, AreWrittenAsTheyAreRead) {
  Preprocessing preprocessing;
  EXPECT_EQ(to_string(preprocessing).find("range"), std::string::npos);
  for (const char* range : {"auto", "0,4095", "-1.5,2e+20"}) {
    preprocessing.range = parse_range(range);
    preprocessing.page = 2;
    EXPECT_EQ(to_string(*preprocessing.range), range);
    EXPECT_EQ(parse_preprocessing(to_string(preprocessing)), preprocessing);
  }
  const auto error = [](const char* text) { return message_of(ErrorKind::usage, [&] { parse_range(text); }); };
  EXPECT_EQ(error("1"), "range \"1\": auto or two numbers MIN,MAX expected");
  EXPECT_EQ(error("5,5"), "range \"5,5\": black at 5 and white at 5, a range from a smaller number to a larger one expected");
  EXPECT_EQ(error("0,inf"), "range \"0,inf\": auto or two numbers MIN,MAX expected");
}

// libjxl, as Debian builds it, and AV1 decoders print what they think of a file, and offer no way to be told not to.
bool is_talkative(const std::string& name) { return name.ends_with(".jxl") || name.ends_with(".avif"); }

// Expects that nothing was printed on standard error while it lived, or only by those that cannot be told not to.
class Silence {
 public:
  explicit Silence(const std::string& name) : name_(name) { testing::internal::CaptureStderr(); }
  ~Silence() {
    const std::string text = testing::internal::GetCapturedStderr();
    if (!is_talkative(name_)) {
      EXPECT_EQ(text, "") << name_;
    }
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  const std::string name_;
};

// Whole files of each kind cut at every byte, or at many where one takes long, give a picture or an error.
TEST(DamagedFormats, TruncatedAnywhere) {
  std::set<std::string> kinds;
  for (const auto& entry : std::filesystem::directory_iterator(formats_folder())) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".expected.png") || !is_read(name)) continue;
    const Silence silence(name);
    const std::vector<std::byte> whole = read_bytes(entry.path());
    const bool slow = name.ends_with(".jxl") || name.ends_with(".avif") || name.ends_with(".heic");
    const bool first = kinds.insert(std::string(format_by_name(name)->name)).second;
    const size_t most = slow ? (first ? 400 : 25) : first ? 3000 : 60, step = std::max<size_t>(1, whole.size() / most);
    size_t errors = 0, tried = 0;
    for (size_t size = 0; size < whole.size(); size += step, ++tried) {
      try {
        const Image image = decode_image(std::span(whole).first(size));
        EXPECT_EQ(image.pixels.size(), static_cast<size_t>(3 * image.width * image.height));
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::input) << error.what();
        EXPECT_EQ(std::string(error.what()).find("4294967295"), std::string::npos) << error.what();
        ++errors;
      }
    }
    EXPECT_GT(errors, tried / 5) << name;  // of a TIFF what stands behind its pixels may say little
  }
  EXPECT_GE(kinds.size(), 6u);
}

TEST(DamagedFormats, RandomBytes) {
  uint32_t state = 5;
  const auto random = [&] { return state = state * 1664525u + 1013904223u, state >> 8; };
  for (const auto& entry : std::filesystem::directory_iterator(formats_folder())) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".expected.png") || !is_read(name)) continue;
    const Silence silence(name);
    const std::vector<std::byte> whole = read_bytes(entry.path());
    for (int attempt = 0; attempt < 10; ++attempt) {
      std::vector<std::byte> damaged = whole;
      for (int i = 0; i < 3; ++i)
        damaged[random() % (attempt % 2 ? damaged.size() : std::min<size_t>(damaged.size(), 200))] = static_cast<std::byte>(random());
      try {
        const Image image = decode_image(damaged);
        EXPECT_EQ(image.pixels.size(), static_cast<size_t>(3 * image.width * image.height));
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::input) << name << " " << error.what();
      }
    }
  }
}

TEST(DamagedFormats, WithOneByteChanged) {
  for (const std::string name : {"lossy.jxl", "yuv420.avif", "yuv420.heic", "rgb.jp2", "rgb_tiff_lzw.tif", "rgb_jpeg.tif"}) {
    if (!is_read(name)) continue;
    const Silence silence(name);
    const std::vector<std::byte> whole = read_bytes(formats_folder() / name);
    size_t errors = 0;
    for (size_t at = 20; at < whole.size(); at += std::max<size_t>(1, whole.size() / 150)) {
      std::vector<std::byte> damaged = whole;
      damaged[at] ^= std::byte{0x55};
      try {
        decode_image(damaged);
      } catch (const Error&) {
        ++errors;
      }
    }
    EXPECT_GT(errors, 5u) << name;
  }
}

TEST(FormatList, NamesWhatTheBuildReads) {
  const std::vector<std::string> names = picture_formats();
  for (const char* name : {"JPEG", "PNG", "WebP", "GIF", "BMP", "PNM", "TGA", "ICO", "CUR"})
    EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
  EXPECT_EQ(std::ranges::find(names, "TIFF") != names.end(), has_tiff());
}

}  // namespace
}  // namespace fovea::image
