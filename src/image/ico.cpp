// Icons and cursors of Windows. As Pillow does, of several pictures the largest is taken, of these of an icon the one of fewest colours.
#include <algorithm>
#include <bit>
#include <cstring>

#include "image/bytes.h"
#include "image/dib.h"

namespace fovea::image {
namespace icons {
namespace {

struct Entry {
  int64_t width = 0, height = 0;
  uint32_t bits = 0;  // of a cursor its hot spot
  int64_t depth = 0;
  size_t bytes = 0, at = 0;
  int64_t area() const { return width * height; }
};

// At least one.
std::vector<Entry> read_entries(Bytes bytes, const char* format) {
  ByteReader reader(bytes, format);
  const size_t count = u16_little(reader.take(6), 4);
  if (count == 0) fail(ErrorKind::input, "{} without a picture in it", format);
  std::vector<Entry> entries;
  for (size_t i = 0; i < count; ++i) {
    const Bytes row = reader.take(16);
    Entry entry;
    entry.width = u8(row, 0) ? u8(row, 0) : 256;
    entry.height = u8(row, 1) ? u8(row, 1) : 256;
    entry.bits = u16_little(row, 6);
    const uint32_t colors = u8(row, 2);
    entry.depth = entry.bits ? entry.bits : colors > 1 ? static_cast<int64_t>(std::bit_width(colors - 1)) : 256;
    entry.bytes = u32_little(row, 8);
    entry.at = u32_little(row, 12);
    entries.push_back(entry);
  }
  return entries;
}

const Entry& page_of(const std::vector<Entry>& entries, int64_t page, const char* format) {
  if (page > static_cast<int64_t>(entries.size())) fail(ErrorKind::input, "page {} of {}, which has {}", page, format, entries.size());
  return entries[static_cast<size_t>(page - 1)];
}

bool is_png(Bytes bytes, size_t at) {
  return at < bytes.size() && bytes.size() - at >= 8 && std::memcmp(bytes.data() + at, "\x89PNG\r\n\x1A\n", 8) == 0;
}

// With `black` nothing is kept of the colours under what is hidden.
void set_alpha(Decoded& picture, const std::vector<bool>& hidden, bool black) {
  std::vector<uint8_t> pixels;
  pixels.reserve(4 * hidden.size());
  const auto channels = static_cast<size_t>(picture.channels);
  for (size_t i = 0; i < hidden.size(); ++i) {
    for (size_t c = 0; c < 3; ++c) pixels.push_back(black && hidden[i] ? 0 : picture.pixels[channels * i + c]);
    pixels.push_back(hidden[i] ? 0 : 255);
  }
  picture.pixels = std::move(pixels);
  picture.channels = 4;
}

}  // namespace
}  // namespace icons

Decoded decode_ico(Bytes bytes, int64_t page) {
  using namespace icons;
  std::vector<Entry> entries = read_entries(bytes, "ICO");
  if (page == 0) {
    std::ranges::stable_sort(entries, {}, &Entry::depth);
    std::ranges::stable_sort(entries, std::greater<>(), &Entry::area);
  }
  const Entry& entry = page_of(entries, std::max<int64_t>(page, 1), "an ICO");
  if (is_png(bytes, entry.at)) return decode_png(bytes.subspan(entry.at), false);
  const Dib dib = read_dib_header(bytes, entry.at, 0, "ICO");
  const bool has_alpha = entry.bits == 32 && dib.bits == 32;
  Decoded picture = decode_dib(bytes, dib, dib.height / 2, has_alpha, "ICO");
  if (has_alpha) return picture;
  // Which pixels are hidden stands at the end of what the icon takes.
  const size_t mask_bytes = static_cast<size_t>((picture.width + 31) / 32 * 4 * picture.height), end = entry.at + entry.bytes;
  if (entry.bytes < mask_bytes || end > bytes.size()) fail(ErrorKind::input, "truncated ICO: the data ends before the picture does");
  set_alpha(picture, read_bit_rows(bytes, end - mask_bytes, picture.width, picture.height, "ICO"), false);
  return picture;
}

Decoded decode_cur(Bytes bytes, int64_t page) {
  using namespace icons;
  const std::vector<Entry> entries = read_entries(bytes, "CUR");
  const Entry* largest = &entries.front();
  for (const Entry& entry : entries)
    if (entry.width > largest->width && entry.height > largest->height) largest = &entry;
  const Entry& entry = page > 0 ? page_of(entries, page, "a CUR") : *largest;
  if (is_png(bytes, entry.at)) return decode_png(bytes.subspan(entry.at), false);
  const Dib dib = read_dib_header(bytes, entry.at, 0, "CUR");
  const bool first = entry.at == 22;  // the only picture: Pillow takes its fourth byte for alpha, of others it does not
  Decoded picture = decode_dib(bytes, dib, dib.height / 2, first && dib.bits == 32, "CUR");
  if (!dib.grey_palette) return picture;  // its mask is not looked at, as in Pillow
  const size_t row = static_cast<size_t>((picture.width * dib.bits + 31) / 32 * 4);
  const size_t mask_at = dib.pixels_at + row * static_cast<size_t>(picture.height);
  set_alpha(picture, read_bit_rows(bytes, mask_at, picture.width, picture.height, "CUR"), true);
  return picture;
}

}  // namespace fovea::image
