// TGA: palettes, grey, colours, with run lengths or without, from any corner, as Pillow reads it. The format has no mark at its beginning:
// is_tga looks whether the header makes sense.
#include <algorithm>
#include <array>
#include <cstring>

#include "image/bytes.h"

namespace fovea::image {
namespace targa {
namespace {

constexpr size_t header_bytes = 18, footer_bytes = 26;

struct Header {
  uint32_t map_type = 0, type = 0, map_start = 0, map_size = 0, map_bits = 0, bits = 0, flags = 0;
  int64_t width = 0, height = 0;
  size_t id_bytes = 0;

  bool runs() const { return (type & 8) != 0; }
  uint32_t kind() const { return type & 7; }  // 1: by a palette, 2: colours, 3: grey
};

Header read_header(Bytes bytes) {
  Header header;
  header.id_bytes = u8(bytes, 0);
  header.map_type = u8(bytes, 1);
  header.type = u8(bytes, 2);
  header.map_start = u16_little(bytes, 3);
  header.map_size = u16_little(bytes, 5);
  header.map_bits = u8(bytes, 7);
  header.width = u16_little(bytes, 12);
  header.height = u16_little(bytes, 14);
  header.bits = u8(bytes, 16);
  header.flags = u8(bytes, 17);
  return header;
}

bool is_read(const Header& header) {
  switch (header.kind()) {
    case 1:
      return header.bits == 8;
    case 2:
      return header.bits == 15 || header.bits == 16 || header.bits == 24 || header.bits == 32;
    default:
      return (header.bits == 1 && !header.runs()) || header.bits == 8 || header.bits == 16;
  }
}

using Pixel = std::array<uint8_t, 4>;

// Of 16 bits five are of each colour, and the highest hides the pixel.
Pixel color_of(Bytes bytes, size_t at, uint32_t bits) {
  if (bits <= 16) {
    const uint32_t value = u16_little(bytes, at);
    const auto five = [&](int shift) { return static_cast<uint8_t>((value >> shift & 31) * 255 / 31); };
    return {five(10), five(5), five(0), static_cast<uint8_t>(bits == 16 && value >> 15 ? 0 : 255)};
  }
  const auto sample = [&](size_t i) { return static_cast<uint8_t>(u8(bytes, at + i)); };
  return {sample(2), sample(1), sample(0), bits == 32 ? sample(3) : uint8_t{255}};
}

struct Palette {
  std::vector<Pixel> colors;  // 256 where there is one
  bool alpha = false;
};

Palette read_palette(ByteReader& reader, const Header& header) {
  Palette palette;
  if (header.map_type == 0) return palette;
  const size_t entry = (header.map_bits + 7) / 8;
  const Bytes bytes = reader.take(entry * header.map_size);
  if (header.kind() != 1) return palette;
  palette.alpha = header.map_bits == 16 || header.map_bits == 32;
  palette.colors.resize(256);
  for (size_t i = 0; i < 256; ++i) {
    palette.colors[i] = {0, 0, 0, static_cast<uint8_t>(i < header.map_start && header.map_bits == 32 ? 0 : 255)};
    if (i >= header.map_start && i - header.map_start < header.map_size)
      palette.colors[i] = color_of(bytes, entry * (i - header.map_start), header.map_bits);
  }
  return palette;
}

std::vector<std::byte> read_runs(ByteReader& reader, size_t pixel_bytes, size_t pixels) {
  std::vector<std::byte> all;
  // A packet of two bytes gives at most 128 pixels: what cannot be there is not asked for.
  if (pixels / 128 > reader.left()) fail(ErrorKind::input, "truncated TGA: the data ends before the picture does");
  all.reserve(pixel_bytes * pixels);
  while (all.size() < pixel_bytes * pixels) {
    const size_t packet = reader.byte(), left = pixels - all.size() / pixel_bytes, count = std::min(left, packet % 128 + 1);
    const Bytes bytes = reader.take(packet >= 128 ? pixel_bytes : pixel_bytes * count);
    for (size_t i = 0; i < (packet >= 128 ? count : 1); ++i) all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

// A footer may say that the fourth channel is no alpha.
bool has_no_alpha(Bytes bytes) {
  constexpr std::string_view mark("TRUEVISION-XFILE.\0", 18);
  constexpr size_t attributes_at = 494;
  if (bytes.size() < footer_bytes) return false;
  const Bytes footer = bytes.last(footer_bytes);
  if (std::memcmp(footer.data() + 8, mark.data(), mark.size()) != 0) return false;
  const size_t extension = u32_little(footer, 0);
  return extension != 0 && extension + attributes_at < bytes.size() && u8(bytes, extension + attributes_at) == 0;
}

}  // namespace
}  // namespace targa

bool is_tga(Bytes bytes) {
  using namespace targa;
  if (bytes.size() < header_bytes) return false;
  const Header header = read_header(bytes);
  const bool known = header.kind() >= 1 && header.kind() <= 3 && (header.type & ~11u) == 0;
  const bool map =
      header.map_type == 0 ||
      (header.map_type == 1 && (header.map_bits == 15 || header.map_bits == 16 || header.map_bits == 24 || header.map_bits == 32));
  return known && map && header.width > 0 && header.height > 0 && header.flags < 0x40 && is_read(header);
}

Decoded decode_tga(Bytes bytes) {
  using namespace targa;
  const Header header = read_header(bytes);
  check_size(header.width, header.height);
  ByteReader reader(bytes, "TGA", header_bytes);
  reader.take(header.id_bytes);
  const Palette palette = read_palette(reader, header);
  const auto width = static_cast<size_t>(header.width), height = static_cast<size_t>(header.height), pixels = width * height;
  const size_t pixel_bytes = (header.bits + 7) / 8;
  std::vector<std::byte> unpacked;
  Bytes data;
  if (header.runs()) {
    unpacked = read_runs(reader, pixel_bytes, pixels);
    data = unpacked;
  } else {
    data = reader.take(header.bits == 1 ? (width + 7) / 8 * height : pixel_bytes * pixels);
  }

  const bool grey_alpha = header.kind() == 3 && header.bits == 16, colors = header.kind() == 2;
  const bool alpha = palette.alpha || grey_alpha || (colors && header.bits != 24);
  const bool opaque = colors && alpha && has_no_alpha(bytes);
  const auto pixel = [&](size_t x, size_t y) -> Pixel {
    const size_t i = y * width + x;
    if (colors) return color_of(data, pixel_bytes * i, header.bits);
    if (header.bits == 1) {
      const auto grey = static_cast<uint8_t>(u8(data, y * ((width + 7) / 8) + x / 8) >> (7 - x % 8) & 1 ? 255 : 0);
      return {grey, grey, grey, 255};
    }
    const auto value = static_cast<uint8_t>(u8(data, pixel_bytes * i));
    if (!palette.colors.empty()) return palette.colors[value];
    return {value, value, value, static_cast<uint8_t>(grey_alpha ? u8(data, 2 * i + 1) : 255)};
  };
  const bool from_right = (header.flags & 0x10) != 0, from_top = (header.flags & 0x20) != 0;
  Decoded picture;
  picture.width = header.width;
  picture.height = header.height;
  picture.channels = alpha ? 4 : 3;
  picture.pixels.resize(pixels * static_cast<size_t>(picture.channels));
  uint8_t* out = picture.pixels.data();
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x, out += picture.channels) {
      Pixel seen = pixel(from_right ? width - 1 - x : x, from_top ? y : height - 1 - y);
      if (opaque) seen[3] = 255;
      std::copy_n(seen.begin(), picture.channels, out);
    }
  }
  return picture;
}

}  // namespace fovea::image
