// BMP: every size of header, 1 to 32 bits a pixel, run lengths, as Pillow reads it.
#include "image/bytes.h"
#include "image/dib.h"

namespace fovea::image {

Decoded decode_bmp(Bytes bytes) {
  constexpr size_t file_header_bytes = 14;
  if (bytes.size() < file_header_bytes + 4) fail(ErrorKind::input, "truncated BMP: {} bytes end inside its header", bytes.size());
  const Dib dib = read_dib_header(bytes, file_header_bytes, u32_little(bytes, 10), "BMP");
  return decode_dib(bytes, dib, dib.height, false, "BMP");
}

}  // namespace fovea::image
