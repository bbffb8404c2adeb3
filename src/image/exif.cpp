#include "image/exif.h"

#include <algorithm>
#include <cstring>
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

}  // namespace

int exif_orientation(Bytes block) {
  if (block.size() >= 6 && std::memcmp(block.data(), "Exif\0\0", 6) == 0) block = block.subspan(6);
  if (block.size() < 8) return 1;
  const bool big_endian = std::memcmp(block.data(), "MM", 2) == 0;
  if (!big_endian && std::memcmp(block.data(), "II", 2) != 0) return 1;
  const Reader reader(block, big_endian);
  const size_t directory = reader.u32(4);
  if (!reader.has(directory, 2)) return 1;
  const size_t entries = reader.u16(directory);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (!reader.has(entry, 12)) return 1;
    if (reader.u16(entry) != orientation_tag) continue;
    const uint32_t type = reader.u16(entry + 2);
    if (type != type_short && type != type_long) return 1;
    const uint32_t value = type == type_short ? reader.u16(entry + 8) : reader.u32(entry + 8);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
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
