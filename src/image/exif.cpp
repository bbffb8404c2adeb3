#include "image/exif.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace fovea::image {
namespace {

class Reader {
 public:
  Reader(Bytes bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}
  bool has(size_t offset, size_t count) const { return offset <= bytes_.size() && count <= bytes_.size() - offset; }
  uint32_t u16(size_t offset) const { return big_endian_ ? at(offset) << 8 | at(offset + 1) : at(offset) | at(offset + 1) << 8; }
  uint32_t u32(size_t offset) const { return big_endian_ ? u16(offset) << 16 | u16(offset + 2) : u16(offset) | u16(offset + 2) << 16; }

 private:
  uint32_t at(size_t offset) const { return static_cast<uint32_t>(bytes_[offset]); }
  Bytes bytes_;
  bool big_endian_;
};

constexpr uint32_t orientation_tag = 0x0112, type_short = 3, type_long = 4;

// Nothing where the block does not say it.
std::optional<int> find_orientation(Bytes block) {
  if (block.size() >= 6 && std::memcmp(block.data(), "Exif\0\0", 6) == 0) block = block.subspan(6);
  if (block.size() < 8) return std::nullopt;
  const bool big_endian = std::memcmp(block.data(), "MM", 2) == 0;
  if (!big_endian && std::memcmp(block.data(), "II", 2) != 0) return std::nullopt;
  const Reader reader(block, big_endian);
  const size_t directory = reader.u32(4);
  if (!reader.has(directory, 2)) return std::nullopt;
  const size_t entries = reader.u16(directory);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (!reader.has(entry, 12)) return std::nullopt;
    if (reader.u16(entry) != orientation_tag) continue;
    const uint32_t type = reader.u16(entry + 2);
    if (type != type_short && type != type_long) return 1;
    const uint32_t value = type == type_short ? reader.u16(entry + 8) : reader.u32(entry + 8);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return std::nullopt;
}

}  // namespace

int exif_orientation(Bytes block) { return find_orientation(block).value_or(1); }

int orientation_of(Bytes exif, std::string_view xmp) {
  if (const auto found = find_orientation(exif)) return *found;
  constexpr std::string_view name = "tiff:Orientation";
  for (size_t at = xmp.find(name); at != xmp.npos; at = xmp.find(name, at + 1)) {
    const std::string_view rest = xmp.substr(at + name.size());
    const size_t digit = rest.starts_with("=\"") ? 2 : rest.starts_with('>') ? 1 : rest.size();
    if (digit >= rest.size() || rest[digit] < '0' || rest[digit] > '9') continue;
    const int value = rest[digit] - '0';
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

std::vector<std::byte> exif_of_raw_profile(std::string_view text) {
  constexpr int head_lines = 3;  // an empty one, the name, the size
  size_t at = 0;
  for (int line = 0; line < head_lines && at != text.npos; ++line) {
    at = text.find('\n', at);
    if (at != text.npos) ++at;
  }
  std::vector<std::byte> bytes;
  int high = -1;
  for (const char c : at == text.npos ? std::string_view() : text.substr(at)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) continue;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::byte>(16 * high + digit));
      high = -1;
    }
  }
  return bytes;
}

Decoded upright(Decoded picture) {
  const int orientation = std::exchange(picture.orientation, 1);
  if (orientation == 1) return picture;
  const bool swaps = orientation >= 5;  // width and height change places
  const int64_t w = picture.width, h = picture.height, channels = picture.channels;
  Decoded turned;
  turned.width = swaps ? h : w;
  turned.height = swaps ? w : h;
  turned.channels = picture.channels;
  turned.pixels.resize(picture.pixels.size());
  // Where output (0, 0) lies in the input, and the steps in the input of one output column and row, all in pixels.
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int64_t start = (from_right ? w - 1 : 0) + (from_bottom ? h - 1 : 0) * w;
  const int64_t along_x = from_right ? -1 : 1, along_y = from_bottom ? -w : w;
  const int64_t column = swaps ? along_y : along_x, row = swaps ? along_x : along_y;
  uint8_t* out = turned.pixels.data();
  for (int64_t y = 0; y < turned.height; ++y) {
    for (int64_t x = 0; x < turned.width; ++x, out += channels) {
      std::copy_n(picture.pixels.data() + (start + x * column + y * row) * channels, channels, out);
    }
  }
  return turned;
}

}  // namespace fovea::image
