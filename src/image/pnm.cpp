// The pictures of Netpbm: PBM, PGM and PPM (P1 to P6), PAM (P7), and grey PFM (Pf), with the values that Pillow has for them.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>

#include "image/bytes.h"

namespace fovea::image {
namespace netpbm {
namespace {

constexpr int64_t most_of_8_bits = 255, most_of_16_bits = 65535;

bool is_blank(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Pillow's round(value / most * out_most): halves go to the even number.
double scaled(int64_t value, int64_t most, int64_t out_most) {
  return std::nearbyint(static_cast<double>(value) / static_cast<double>(most) * static_cast<double>(out_most));
}

class Header {
 public:
  Header(Bytes bytes, const char* format) : reader_(bytes, format, 2), format_(format) {}

  // The next word; what stands behind # to the end of its line is passed over. One blank behind it is taken, too.
  std::string word() {
    std::string text;
    while (text.size() <= most_characters) {
      const uint8_t c = reader_.byte();
      if (is_blank(c)) {
        if (text.empty()) continue;
        return text;
      }
      if (c == '#') {
        for (uint8_t skipped = c; skipped != '\n' && skipped != '\r';) skipped = reader_.byte();
        continue;
      }
      text += static_cast<char>(c);
    }
    fail(ErrorKind::input, "damaged {}: \"{}\" in its header", format_, text);
  }
  int64_t number() {
    const std::string text = word();
    int64_t value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0)
      fail(ErrorKind::input, "damaged {}: \"{}\" in its header, a number expected", format_, text);
    return value;
  }
  // The greatest value of a sample.
  int64_t most() {
    const int64_t value = number();
    if (value < 1 || value > most_of_16_bits)
      fail(ErrorKind::input, "damaged {}: its greatest value is {}, from 1 to {} expected", format_, value, most_of_16_bits);
    return value;
  }
  size_t at() const { return reader_.at(); }

 private:
  static constexpr size_t most_characters = 20;
  ByteReader reader_;
  const char* format_;
};

// Numbers, or of a PBM digits, as text.
class PlainSamples {
 public:
  PlainSamples(Bytes bytes, size_t at, const char* format) : reader_(bytes, format, at), format_(format) {}

  int64_t digit() {
    uint8_t c = next();
    while (is_blank(c)) c = next();
    if (c != '0' && c != '1') fail(ErrorKind::input, "damaged {}: a byte {} where 0 or 1 is expected", format_, c);
    return c - '0';
  }
  int64_t number(int64_t most) {
    uint8_t c = next();
    while (is_blank(c)) c = next();
    int64_t value = 0;
    for (; !is_blank(c); c = reader_.left() > 0 ? next() : ' ') {
      if (c < '0' || c > '9') fail(ErrorKind::input, "damaged {}: a byte {} where a digit is expected", format_, c);
      value = 10 * value + (c - '0');
      if (value > most) fail(ErrorKind::input, "damaged {}: a value of {} or more, {} is its greatest", format_, value, most);
    }
    return value;
  }

 private:
  uint8_t next() {
    uint8_t c = reader_.byte();
    while (c == '#') {
      while (c != '\n' && c != '\r') c = reader_.left() > 0 ? reader_.byte() : '\n';
      c = reader_.left() > 0 ? reader_.byte() : ' ';
    }
    return c;
  }
  ByteReader reader_;
  const char* format_;
};

struct Layout {
  int64_t width = 0, height = 0, most = most_of_8_bits;
  int channels = 1;  // 1 to 4: grey, grey and alpha, RGB, RGB and alpha
  size_t at = 0;
  size_t samples() const { return static_cast<size_t>(width * height) * static_cast<size_t>(channels); }
  bool wide() const { return channels <= 2 && most > most_of_8_bits; }
};

// Samples in their order, each by `next`. Wide grey keeps its values, as Pillow's mode I has them; its alpha is left out.
template <class Next>
Decoded collect(const Layout& layout, Next&& next) {
  Decoded picture;
  picture.width = layout.width;
  picture.height = layout.height;
  const auto pixels = static_cast<size_t>(layout.width * layout.height);
  if (layout.wide()) {
    picture.wide.reserve(pixels);
    for (size_t i = 0; i < pixels; ++i) {
      picture.wide.push_back(static_cast<float>(scaled(next(), layout.most, most_of_16_bits)));
      if (layout.channels == 2) next();
    }
    return picture;
  }
  const auto sample = [&] {
    const int64_t value = next();
    if (layout.most == most_of_8_bits) return static_cast<uint8_t>(std::min(value, most_of_8_bits));
    return static_cast<uint8_t>(std::min(scaled(value, layout.most, most_of_8_bits), 255.0));
  };
  picture.channels = layout.channels % 2 == 0 ? 4 : 3;
  picture.pixels.resize(pixels * static_cast<size_t>(picture.channels));
  uint8_t* out = picture.pixels.data();
  for (size_t i = 0; i < pixels; ++i) {
    if (layout.channels < 3) {
      std::fill_n(out, 3, sample());
    } else {
      for (int c = 0; c < 3; ++c) out[c] = sample();
    }
    if (picture.channels == 4) out[3] = sample();
    out += picture.channels;
  }
  return picture;
}

void require(Bytes bytes, size_t at, size_t needed, const char* format) {
  if (bytes.size() < at || bytes.size() - at < needed)
    fail(ErrorKind::input, "truncated {}: {} bytes where its header promises {}", format, bytes.size(), at + needed);
}

Decoded read_binary(Bytes bytes, const Layout& layout, const char* format) {
  const size_t bytes_each = layout.most > most_of_8_bits ? 2 : 1;
  require(bytes, layout.at, bytes_each * layout.samples(), format);
  size_t at = layout.at;
  return collect(layout, [&] {
    const uint32_t value = bytes_each == 2 ? u16_big(bytes, at) : u8(bytes, at);
    at += bytes_each;
    return static_cast<int64_t>(value);
  });
}

Decoded read_plain(Bytes bytes, const Layout& layout, bool digits, const char* format) {
  require(bytes, layout.at, (digits ? 1 : 2) * layout.samples() - 1, format);  // at least: a digit and a blank each
  PlainSamples samples(bytes, layout.at, format);
  if (digits) return collect(layout, [&] { return 255 * (1 - samples.digit()); });
  return collect(layout, [&] { return samples.number(layout.most); });
}

Decoded read_bits(Bytes bytes, const Layout& layout, const char* format) {
  const auto width = static_cast<size_t>(layout.width), row = (width + 7) / 8;
  require(bytes, layout.at, row * static_cast<size_t>(layout.height), format);
  size_t i = 0;
  return collect(layout, [&] {
    const size_t x = i % width, y = i / width;
    ++i;
    return u8(bytes, layout.at + y * row + x / 8) >> (7 - x % 8) & 1 ? int64_t{0} : most_of_8_bits;
  });
}

// Grey floats, rows from the lowest up; a negative scale says that their bytes are in little-endian order.
Decoded read_floats(Bytes bytes, const Layout& layout, bool little, const char* format) {
  require(bytes, layout.at, 4 * layout.samples(), format);
  Decoded picture;
  picture.width = layout.width;
  picture.height = layout.height;
  const auto width = static_cast<size_t>(layout.width), height = static_cast<size_t>(layout.height);
  picture.wide.resize(layout.samples());
  for (size_t i = 0; i < picture.wide.size(); ++i) {
    const uint32_t bits = little ? u32_little(bytes, layout.at + 4 * i) : u32_big(bytes, layout.at + 4 * i);
    picture.wide[(height - 1 - i / width) * width + i % width] = std::bit_cast<float>(bits);
  }
  return picture;
}

// PAM says by words what its header holds, one a line.
Decoded read_pam(Bytes bytes) {
  Header header(bytes, "PAM");
  Layout layout;
  layout.most = 0;
  int64_t depth = 0;
  for (std::string word = header.word(); word != "ENDHDR"; word = header.word()) {
    if (word == "WIDTH")
      layout.width = header.number();
    else if (word == "HEIGHT")
      layout.height = header.number();
    else if (word == "DEPTH")
      depth = header.number();
    else if (word == "MAXVAL")
      layout.most = header.most();
    else if (word == "TUPLTYPE")
      header.word();  // says no more than the depth, which decides
    else
      fail(ErrorKind::input, "damaged PAM: \"{}\" in its header", word);
  }
  check_size(layout.width, layout.height);
  if (depth < 1 || depth > 4) fail(ErrorKind::input, "PAM of {} channels; 1 to 4 are read", depth);
  if (layout.most == 0) fail(ErrorKind::input, "damaged PAM: its header does not say MAXVAL");
  layout.channels = static_cast<int>(depth);
  layout.at = header.at();
  return read_binary(bytes, layout, "PAM");
}

}  // namespace
}  // namespace netpbm

Decoded decode_pnm(Bytes bytes) {
  using namespace netpbm;
  const uint32_t kind = u8(bytes, 1);
  if (kind == '7') return read_pam(bytes);
  const bool bits = kind == '1' || kind == '4', grey = kind == '2' || kind == '5', floats = kind == 'f';
  const char* format = bits ? "PBM" : grey ? "PGM" : floats ? "PFM" : "PPM";
  Header header(bytes, format);
  Layout layout;
  layout.width = header.number();
  layout.height = header.number();
  check_size(layout.width, layout.height);
  layout.channels = kind == '3' || kind == '6' ? 3 : 1;
  if (floats) {
    const std::string text = header.word();
    float scale = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), scale);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(scale) || scale == 0)
      fail(ErrorKind::input, "damaged PFM: a scale of \"{}\"", text);
    layout.at = header.at();
    return read_floats(bytes, layout, scale < 0, format);
  }
  if (!bits) layout.most = header.most();
  layout.at = header.at();
  if (kind == '4') return read_bits(bytes, layout, format);
  if (kind >= '5') return read_binary(bytes, layout, format);
  return read_plain(bytes, layout, bits, format);
}

}  // namespace fovea::image
