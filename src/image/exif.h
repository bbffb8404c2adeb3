// The one thing that fovea reads from EXIF and XMP: how the camera was held.
#pragma once

#include <string_view>
#include <vector>

#include "image/codecs.h"

namespace fovea::image {

// Orientation (tag 0x0112 of the first directory), 1..8; 1 where there is none or the block is not readable. `block` is a TIFF header and
// what follows it, with or without the "Exif\0\0" that JPEG puts before it.
int exif_orientation(Bytes block);

// The orientation that EXIF gives or, where it gives none, XMP's tiff:Orientation; 1 where neither does.
int orientation_of(Bytes exif, std::string_view xmp);
// Reads the text that ImageMagick writes into a PNG for EXIF ("Raw profile type exif"): a name, a size, then hexadecimal digits.
std::vector<std::byte> exif_of_raw_profile(std::string_view text);

// Turns and mirrors the pixels so that orientation becomes 1 (Pillow's ImageOps.exif_transpose).
Decoded upright(Decoded picture);

}  // namespace fovea::image
