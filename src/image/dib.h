// The bitmaps of Windows and OS/2, as BMP files hold them and, without the file's header, icons and cursors.
#pragma once

#include <array>

#include "image/codecs.h"

namespace fovea::image {

struct Dib {
  int64_t width = 0, height = 0;  // as the header has them: of an icon, colours and mask together
  bool top_down = false;
  uint32_t bits = 0, compression = 0;
  size_t pixels_at = 0;
  std::array<uint32_t, 4> masks{};              // of red, green, blue and alpha, where the pixels are 16 or 32 bits
  std::vector<std::array<uint8_t, 3>> palette;  // 2^bits colours where there is one
  bool grey_palette = false;                    // black and white alone, or all greys in their order
};

// The header that begins at `at`, and the palette behind it. `pixels_at`: where the file says that the pixels begin, 0: behind these.
Dib read_dib_header(Bytes file, size_t at, size_t pixels_at, const char* format);
// So many rows of it (of an icon not all are colours), upright. With `alpha` the fourth byte of 32 bits is taken for it.
Decoded decode_dib(Bytes file, const Dib& dib, int64_t height, bool alpha, const char* format);
// Rows of one bit a pixel that begin at `at`, from the lowest up: true where it is set.
std::vector<bool> read_bit_rows(Bytes file, size_t at, int64_t width, int64_t height, const char* format);

}  // namespace fovea::image
