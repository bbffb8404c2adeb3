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
  std::vector<float> wide = {};  // in place of pixels: grey of more than 8 bits, with the file's own values
};

// Pillow refuses more (twice its 89,478,485).
constexpr int64_t max_pixels = 178'956'970;

// Throws Error(input) for an empty picture or one over max_pixels; called before anything of that size is allocated.
void check_size(int64_t width, int64_t height);
void set_most_pixels(int64_t pixels);  // set_max_pixels

// Says by what the sides of a picture of this size, upright, may be divided: 1, 2, 4 or 8.
using Reduction = std::function<int(Size)>;

// To three channels. Over white by the arithmetic of Pillow's Image.alpha_composite on an opaque white ground: weights of 255 << 7 in all,
// one rounded division by 255.
void drop_alpha(Decoded& picture, Alpha alpha);

// Each throws Error(input) with a sentence that begins with what is wrong: "truncated JPEG: ...", "damaged PNG: ...".
Decoded decode_jpeg(Bytes bytes, const Reduction& reduction = nullptr);
Decoded decode_png(Bytes bytes, bool wide);  // wide: grey of 16 bits keeps its values, else its high byte
Decoded decode_webp(Bytes bytes);
Decoded decode_gif(Bytes bytes);
Decoded decode_bmp(Bytes bytes);
Decoded decode_pnm(Bytes bytes);
Decoded decode_tga(Bytes bytes);
bool is_tga(Bytes bytes);
// page: 1 is the first, 0 what stands for the file.
Decoded decode_ico(Bytes bytes, int64_t page);
Decoded decode_cur(Bytes bytes, int64_t page);

// These decode with libraries that a build may leave out (NAME_off.cpp stands in for NAME.cpp then).
bool has_tiff();
Decoded decode_tiff(Bytes bytes, int64_t page);
bool has_heif();
Decoded decode_heif(Bytes bytes, int64_t page, const char* format);
bool has_jpeg2000();
Decoded decode_jpeg2000(Bytes bytes);
bool has_jpegxl();
Decoded decode_jpegxl(Bytes bytes);
// "libheif 1.15.1, ", or nothing: of those whose pictures another version may give otherwise.
std::string heif_version();
std::string jpeg2000_version();
std::string jpegxl_version();

// Pillow's CMYK to RGB, of so many pixels, 4 bytes in, 3 out. `inverted`: 255 is no ink.
void cmyk_to_rgb(const uint8_t* in, uint8_t* out, int64_t count, bool inverted);

// Names the versions of the libraries of lossy formats: another version may decode the same file to other pixels.
std::string decoder_versions();

}  // namespace fovea::image
