// A picture with what its file says of it.
#pragma once

#include <fovea/image.h>

#include <string>

namespace fovea::image {

struct Inspection {
  Image image;
  std::string format;        // "jpeg", "png", "webp", "gif", "bmp"
  int orientation = 1;       // EXIF, 1..8
  bool transparent = false;  // some pixel is
  bool grey = false;         // every pixel is
};

// Throws as read_image.
Inspection inspect_image(const std::string& path);

}  // namespace fovea::image
