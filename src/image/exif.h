// The one thing that fovea reads from EXIF: how the camera was held.
#pragma once

#include "image/codecs.h"

namespace fovea::image {

// Orientation (tag 0x0112 of the first directory), 1..8; 1 where there is none or the block is not readable. `block` is a TIFF header and
// what follows it, with or without the "Exif\0\0" that JPEG puts before it.
int exif_orientation(Bytes block);

// Turns and mirrors the pixels so that orientation becomes 1 (Pillow's ImageOps.exif_transpose).
Decoded upright(Decoded picture);

}  // namespace fovea::image
