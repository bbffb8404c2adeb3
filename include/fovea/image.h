// Pictures in memory, decoded or the caller's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <fovea/api.h>
#include <fovea/preprocess.h>
#include <fovea/tensor.h>

namespace fovea {

// 8-bit RGB, row by row without gaps. Owns its pixels; copying copies them.
struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;  // 3 * width * height
};

enum class PixelOrder { rgb, bgr };

// Reads a picture in one of picture_formats(), of an animation the first frame; the bytes decide which, not the name. Orientation (EXIF,
// XMP) is applied, CMYK, grey, palette and 16-bit pictures become 8-bit RGB as Pillow does it (grey PNGs of 16 bits by their high bytes).
// Throws Error(input), naming the file, for what is truncated, no picture, of a format that is not read, or over 178,956,970 pixels.
FOVEA_API Image read_image(const std::string& path, Alpha alpha = Alpha::white);
FOVEA_API Image decode_image(std::span<const std::byte> bytes, Alpha alpha = Alpha::white);
// The same as this preprocessing has it: its alpha, page and range, and with Decode::fast a large JPEG at a part of its size, of which
// `fit` makes use.
FOVEA_API Image read_image(const std::string& path, const Preprocessing& preprocessing);
FOVEA_API Image decode_image(std::span<const std::byte> bytes, const Preprocessing& preprocessing);

// The most pixels that a picture may have, for everything in this process: 178,956,970 unless told otherwise, and never more. What a file
// says of its size is held against it before anything of that size is there. Throws Error(usage) for fewer than 1.
FOVEA_API void set_max_pixels(int64_t pixels);

// What this build reads: "JPEG", "PNG", "WebP", "GIF", "BMP", ...
FOVEA_API std::vector<std::string> picture_formats();

// How many pictures this process has decoded that are grey of more than 8 bits, and with which ranges.
struct WideGreys {
  int64_t cut_off = 0;    // without a range: values beyond 255 are white
  int64_t stretched = 0;  // with one
};
FOVEA_API WideGreys wide_greys();

// A PNG of 8-bit RGB, from which decode_image gives the same pixels. The file is written beside and renamed. Throw Error(usage) where the
// pixels are not 3 * width * height bytes, write_png also Error(io) naming the path.
FOVEA_API std::vector<std::byte> encode_png(const Image& image);
FOVEA_API void write_png(const std::string& path, const Image& image);
// A JPEG with halved colour resolution; quality 1 to 100. Throws Error(usage) as encode_png does, and for sides over 65,500 pixels.
FOVEA_API std::vector<std::byte> encode_jpeg(const Image& image, int quality = 85);

// From memory: 8-bit rows, `stride_bytes` apart (0: 3 * width).
FOVEA_API Image image_from_memory(const uint8_t* pixels, int64_t width, int64_t height, int64_t stride_bytes = 0,
                                  PixelOrder order = PixelOrder::rgb);

// The resize of Pillow 13, bit for bit: antialiased, two passes in fixed point, 8 bits between them.
FOVEA_API Image resize(const Image& image, int64_t width, int64_t height, Interpolation interpolation);

// A part of the picture; what lies outside it is black.
FOVEA_API Image crop(const Image& image, int64_t left, int64_t top, int64_t width, int64_t height);

// Resize, crop or pad to height x width; still 8-bit.
FOVEA_API Image fit(const Image& image, const Preprocessing& preprocessing);

// The normalized network input of one picture, f32 [3, height, width].
FOVEA_API Tensor preprocess(const Image& image, const Preprocessing& preprocessing);

}  // namespace fovea
