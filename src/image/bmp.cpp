// BMP by stb_image, which reads what BMPs really hold (1, 4, 8, 16, 24 and 32 bits, no run lengths). It takes zeros for bytes that are
// missing, so the header is checked here first.
#include <cstring>

#include "base/error.h"
#include "image/codecs.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_FAILURE_STRINGS
#define STBI_MAX_DIMENSIONS 178956970
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace fovea::image {
namespace {

struct Header {
  int64_t pixel_offset = 0, width = 0, height = 0;
  uint32_t bits = 0, compression = 0, alpha_mask = 0;
};

uint32_t u32(Bytes bytes, size_t offset) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= static_cast<uint32_t>(bytes[offset + i]) << (8 * i);
  return value;
}

uint32_t u16(Bytes bytes, size_t offset) { return u32(bytes, offset) & 0xFFFF; }

constexpr uint32_t compression_none = 0, compression_masks = 3;
constexpr size_t file_header_bytes = 14, old_header_bytes = 12, header_bytes_with_alpha_mask = 56;

Header read_header(Bytes bytes) {
  if (bytes.size() < 30) fail(ErrorKind::input, "truncated BMP: {} bytes end inside its header", bytes.size());
  const size_t size = u32(bytes, file_header_bytes);
  Header header;
  header.pixel_offset = u32(bytes, 10);
  if (size == old_header_bytes) {
    header.width = u16(bytes, 18);
    header.height = u16(bytes, 20);
    header.bits = u16(bytes, 24);
    return header;
  }
  if (size < 40 || size > 124) fail(ErrorKind::input, "damaged BMP: its header claims {} bytes", size);
  if (bytes.size() < file_header_bytes + size) fail(ErrorKind::input, "truncated BMP: {} bytes end inside its header", bytes.size());
  header.width = static_cast<int32_t>(u32(bytes, 18));
  header.height = static_cast<int32_t>(u32(bytes, 22));
  if (header.height < 0) header.height = -header.height;  // rows from top to bottom
  header.bits = u16(bytes, 28);
  header.compression = u32(bytes, 30);
  if (size >= header_bytes_with_alpha_mask && header.compression == compression_masks) header.alpha_mask = u32(bytes, 66);
  return header;
}

}  // namespace

Decoded decode_bmp(Bytes bytes) {
  const Header header = read_header(bytes);
  if (header.width < 0) fail(ErrorKind::input, "damaged BMP: its width is {}", header.width);
  check_size(header.width, header.height);
  if (header.compression != compression_none && header.compression != compression_masks) {
    fail(ErrorKind::input, "BMP with compression {}, which fovea does not read", header.compression);
  }
  const int64_t row_bytes = (header.width * header.bits + 31) / 32 * 4;
  const int64_t needed = header.pixel_offset + row_bytes * header.height;
  if (static_cast<int64_t>(bytes.size()) < needed) {
    fail(ErrorKind::input, "truncated BMP: {} bytes where its header promises {}", bytes.size(), needed);
  }

  Decoded picture;
  picture.channels = header.alpha_mask ? 4 : 3;
  int width = 0, height = 0, channels = 0;
  uint8_t* pixels = stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()), static_cast<int>(bytes.size()), &width, &height,
                                          &channels, picture.channels);
  if (!pixels) fail(ErrorKind::input, "damaged BMP: {} bits a pixel, compression {}", header.bits, header.compression);
  picture.width = width;
  picture.height = height;
  picture.pixels.assign(pixels, pixels + static_cast<int64_t>(width) * height * picture.channels);
  stbi_image_free(pixels);
  return picture;
}

}  // namespace fovea::image
