#include "image/dib.h"

#include <algorithm>
#include <bit>

#include "image/bytes.h"

namespace fovea::image {
namespace {

constexpr uint32_t plain = 0, rle8 = 1, rle4 = 2, bit_fields = 3;
constexpr size_t core_header = 12, info_header = 40, header_with_masks = 52, header_with_alpha_mask = 56, os2_header = 64;
constexpr uint32_t most_colors = 65536;

bool is_header_size(size_t size) {
  constexpr size_t known[] = {core_header, info_header, header_with_masks, header_with_alpha_mask, os2_header, 108, 124};
  return std::ranges::find(known, size) != std::end(known);
}

bool has_palette(const Dib& dib) { return dib.bits <= 8; }

// Behind a header of 40 bytes the three masks follow it, in larger ones they are part of it.
size_t read_masks(Bytes file, size_t at, size_t header, Dib& dib, const char* format) {
  if (dib.compression != bit_fields) {
    if (dib.bits == 16) dib.masks = {0x7C00, 0x3E0, 0x1F, 0};
    if (dib.bits == 32) dib.masks = {0xFF0000, 0xFF00, 0xFF, 0};
    return 0;
  }
  ByteReader reader(file, format, at + info_header);
  const size_t count = header >= header_with_alpha_mask ? 4 : 3;
  const Bytes bytes = reader.take(4 * count);
  for (size_t i = 0; i < count; ++i) dib.masks[i] = u32_little(bytes, 4 * i);
  const bool none = std::ranges::all_of(dib.masks, [](uint32_t mask) { return mask == 0; });
  if (none && dib.bits == 32) dib.masks = {0xFF0000, 0xFF00, 0xFF, 0xFF000000};
  return header == info_header ? 12 : 0;
}

// Colours that the file does not give are black, as in Pillow.
size_t read_palette(Bytes file, size_t at, size_t entry_bytes, uint32_t colors, Dib& dib, const char* format) {
  ByteReader reader(file, format, at);
  const Bytes bytes = reader.take(entry_bytes * colors);
  const size_t all = size_t{1} << dib.bits, given = std::min<size_t>(all, colors);
  dib.palette.resize(all);
  for (size_t i = 0; i < given; ++i)
    for (size_t c = 0; c < 3; ++c) dib.palette[i][c] = static_cast<uint8_t>(u8(bytes, entry_bytes * i + 2 - c));
  dib.grey_palette = true;
  for (size_t i = 0; i < given; ++i) {
    const auto value = static_cast<uint8_t>(colors == 2 ? 255 * i : i);
    dib.grey_palette = dib.grey_palette && std::ranges::all_of(dib.palette[i], [&](uint8_t sample) { return sample == value; });
  }
  if (dib.grey_palette && dib.bits == 1 && colors < 2) dib.palette[1].fill(255);  // of black alone: black and white
  return bytes.size();
}

// A sample of a mask's width to 8 bits.
class Field {
 public:
  explicit Field(uint32_t mask) : mask_(mask), shift_(mask ? std::countr_zero(mask) : 0), most_(mask >> shift_) {}
  uint8_t operator()(uint32_t pixel) const {
    return most_ == 0 ? 0 : static_cast<uint8_t>(uint64_t{(pixel & mask_) >> shift_} * 255 / most_);
  }

 private:
  uint32_t mask_;
  int shift_;
  uint32_t most_;
};

// Indices row by row in the file's order. Runs that end before the picture leave index 0, as where the file skips pixels.
std::vector<uint8_t> read_runs(Bytes file, const Dib& dib, int64_t height, const char* format) {
  const auto width = static_cast<size_t>(dib.width);
  constexpr size_t most_pixels_a_byte = 128;  // of runs; skipped pixels are not many
  if (width * static_cast<size_t>(height) / most_pixels_a_byte > file.size())
    fail(ErrorKind::input, "truncated {}: {} bytes cannot hold {} x {} pixels", format, file.size(), width, height);
  std::vector<uint8_t> indices(width * static_cast<size_t>(height));
  ByteReader reader(file, format, dib.pixels_at);
  size_t at = 0, x = 0;
  const bool nibbles = dib.compression == rle4;
  while (at < indices.size()) {
    const size_t count = reader.byte(), value = reader.byte();
    if (count > 0) {  // a run, which ends with its row
      const size_t taken = std::min({count, width - std::min(x, width), indices.size() - at});
      for (size_t i = 0; i < taken; ++i) indices[at + i] = static_cast<uint8_t>(!nibbles ? value : i % 2 == 0 ? value >> 4 : value & 15);
      at += taken;
      x += taken;
    } else if (value == 0) {  // the row ends
      at = (at + width - 1) / width * width;
      x = 0;
    } else if (value == 1) {  // the picture ends
      break;
    } else if (value == 2) {  // pixels are skipped
      const size_t right = reader.byte(), down = reader.byte();
      at += std::min(indices.size() - at, right + down * width);
      x = at % width;
    } else {  // so many pixels as they are
      const size_t taken = std::min(value, indices.size() - at);
      const Bytes bytes = reader.take(nibbles ? (taken + 1) / 2 : taken);
      for (size_t i = 0; i < taken; ++i) {
        const uint32_t byte = u8(bytes, nibbles ? i / 2 : i);
        indices[at + i] = static_cast<uint8_t>(!nibbles ? byte : i % 2 == 0 ? byte >> 4 : byte & 15);
      }
      at += taken;
      x += value;
      if (at < indices.size() && reader.at() % 2 != 0) reader.byte();
    }
  }
  return indices;
}

size_t row_bytes(int64_t width, uint32_t bits) { return static_cast<size_t>((width * bits + 31) / 32 * 4); }

// What the rows take, without the filling behind the last one.
void require_rows(Bytes file, size_t at, int64_t width, int64_t height, uint32_t bits, const char* format) {
  const size_t row = row_bytes(width, bits), rows = static_cast<size_t>(height);
  const size_t least = at + row * (rows - 1) + static_cast<size_t>((width * bits + 7) / 8);
  if (file.size() < least)
    fail(ErrorKind::input, "truncated {}: {} bytes where its header promises {}", format, file.size(), at + row * rows);
}

void read_row(Bytes row, const Dib& dib, bool alpha, uint8_t* out) {
  const auto width = static_cast<size_t>(dib.width);
  if (has_palette(dib)) {
    const uint32_t bits = dib.bits, mask = (1u << bits) - 1;
    for (size_t x = 0; x < width; ++x, out += 3) {
      const size_t bit = x * bits;
      std::ranges::copy(dib.palette[u8(row, bit / 8) >> (8 - bits - bit % 8) & mask], out);
    }
    return;
  }
  if (dib.bits == 24) {
    for (size_t x = 0; x < width; ++x, out += 3)
      for (size_t c = 0; c < 3; ++c) out[c] = static_cast<uint8_t>(u8(row, 3 * x + 2 - c));
    return;
  }
  const Field red(dib.masks[0]), green(dib.masks[1]), blue(dib.masks[2]), opacity(dib.masks[3] ? dib.masks[3] : 0xFF000000);
  for (size_t x = 0; x < width; ++x) {
    const uint32_t pixel = dib.bits == 16 ? u16_little(row, 2 * x) : u32_little(row, 4 * x);
    *out++ = red(pixel);
    *out++ = green(pixel);
    *out++ = blue(pixel);
    if (alpha) *out++ = opacity(pixel);
  }
}

}  // namespace

Dib read_dib_header(Bytes file, size_t at, size_t pixels_at, const char* format) {
  if (at > file.size() || file.size() - at < 4) fail(ErrorKind::input, "truncated {}: {} bytes end inside its header", format, file.size());
  const size_t size = u32_little(file, at);
  if (!is_header_size(size)) fail(ErrorKind::input, "damaged {}: its header claims {} bytes", format, size);
  if (file.size() - at < size) fail(ErrorKind::input, "truncated {}: {} bytes end inside its header", format, file.size());
  Dib dib;
  uint32_t colors = 0;
  if (size == core_header) {
    dib.width = u16_little(file, at + 4);
    dib.height = u16_little(file, at + 6);
    dib.bits = u16_little(file, at + 10);
  } else {
    dib.width = static_cast<int32_t>(u32_little(file, at + 4));
    dib.height = static_cast<int32_t>(u32_little(file, at + 8));
    dib.bits = u16_little(file, at + 14);
    dib.compression = u32_little(file, at + 16);
    colors = u32_little(file, at + 32);
    dib.top_down = dib.height < 0;
    if (dib.top_down) dib.height = -dib.height;
  }
  if (dib.width < 0) fail(ErrorKind::input, "damaged {}: its width is {}", format, dib.width);
  check_size(dib.width, dib.height);
  constexpr uint32_t known_bits[] = {1, 4, 8, 16, 24, 32};
  if (std::ranges::find(known_bits, dib.bits) == std::end(known_bits))
    fail(ErrorKind::input, "{} of {} bits a pixel; 1, 4, 8, 16, 24 and 32 are read", format, dib.bits);
  const bool runs = dib.compression == rle8 || dib.compression == rle4;
  const bool fields = dib.compression == bit_fields && size != os2_header;  // there it is Huffman's code
  if ((dib.compression != plain && !runs && !fields) || (runs && dib.bits != (dib.compression == rle8 ? 8 : 4)) ||
      (fields && has_palette(dib)))
    fail(ErrorKind::input, "{} of {} bits a pixel with compression {}, which fovea does not read", format, dib.bits, dib.compression);

  size_t end = at + size;
  end += read_masks(file, at, size, dib, format);
  if (has_palette(dib)) {
    if (colors == 0) colors = 1u << dib.bits;
    if (colors > most_colors) fail(ErrorKind::input, "damaged {}: a palette of {} colours", format, colors);
    const size_t entry = size == core_header ? 3 : 4;
    if (pixels_at == end) pixels_at += entry * colors;  // the palette was forgotten where the file says where the pixels begin
    end += read_palette(file, end, entry, colors, dib, format);
  }
  dib.pixels_at = pixels_at ? pixels_at : end;
  return dib;
}

Decoded decode_dib(Bytes file, const Dib& dib, int64_t height, bool alpha, const char* format) {
  Decoded picture;
  picture.width = dib.width;
  picture.height = height;
  check_size(picture.width, picture.height);
  const bool with_alpha = dib.bits == 32 && (alpha || dib.masks[3] != 0);
  picture.channels = with_alpha ? 4 : 3;
  const auto row_pixels = static_cast<size_t>(dib.width), rows = static_cast<size_t>(height);
  const auto out_of = [&](size_t y) {
    return picture.pixels.data() + (dib.top_down ? y : rows - 1 - y) * row_pixels * static_cast<size_t>(picture.channels);
  };
  if (dib.compression == rle8 || dib.compression == rle4) {
    if (dib.pixels_at >= file.size()) fail(ErrorKind::input, "truncated {}: the data ends before the picture does", format);
    const std::vector<uint8_t> indices = read_runs(file, dib, height, format);
    picture.pixels.resize(3 * indices.size());
    for (size_t y = 0; y < rows; ++y) {
      uint8_t* out = out_of(y);
      for (size_t x = 0; x < row_pixels; ++x, out += 3) std::ranges::copy(dib.palette[indices[y * row_pixels + x]], out);
    }
    return picture;
  }
  require_rows(file, dib.pixels_at, dib.width, height, dib.bits, format);
  picture.pixels.resize(row_pixels * rows * static_cast<size_t>(picture.channels));
  for (size_t y = 0; y < rows; ++y) {
    read_row(file.subspan(dib.pixels_at + y * row_bytes(dib.width, dib.bits)), dib, with_alpha, out_of(y));
  }
  return picture;
}

std::vector<bool> read_bit_rows(Bytes file, size_t at, int64_t width, int64_t height, const char* format) {
  require_rows(file, at, width, height, 1, format);
  const auto w = static_cast<size_t>(width), h = static_cast<size_t>(height);
  std::vector<bool> bits(w * h);
  for (size_t y = 0; y < h; ++y) {
    const Bytes row = file.subspan(at + y * row_bytes(width, 1));
    for (size_t x = 0; x < w; ++x) bits[(h - 1 - y) * w + x] = (u8(row, x / 8) >> (7 - x % 8) & 1) != 0;
  }
  return bits;
}

}  // namespace fovea::image
