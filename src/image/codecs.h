// One function a file format: bytes in, straight 8-bit pixels out. Which one is called is decode.cpp's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "image/resize.h"

namespace fovea::image {

using Bytes = std::span<const std::byte>;

// What a codec gives: rows from top to bottom without gaps, colours as the file has them (not multiplied by alpha), not yet turned.
struct Decoded {
  int64_t width = 0, height = 0;
  int channels = 3;     // 3: RGB, 4: RGB and alpha
  int orientation = 1;  // EXIF, 1..8
  std::vector<uint8_t> pixels;
};

// Pillow refuses more (twice its 89,478,485).
constexpr int64_t max_pixels = 178'956'970;

// Throws Error(input) for an empty picture or one over max_pixels; called before anything of that size is allocated.
void check_size(int64_t width, int64_t height);

// By what the sides of a picture of this size, upright, may shrink: 1, 2, 4 or 8.
using Reduction = std::function<int(Size)>;

// Each throws Error(input) with a sentence that begins with what is wrong: "truncated JPEG: ...", "damaged PNG: ...".
Decoded decode_jpeg(Bytes bytes, const Reduction& reduction = nullptr);
Decoded decode_png(Bytes bytes);
Decoded decode_webp(Bytes bytes);
Decoded decode_gif(Bytes bytes);
Decoded decode_bmp(Bytes bytes);

// Of the libraries whose pictures another version may give otherwise: those of lossy formats.
std::string decoder_versions();

}  // namespace fovea::image
