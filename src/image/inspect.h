// A picture with what its file says of it.
#pragma once

#include <fovea/image.h>

#include <string>

#include "image/duplicates.h"

namespace fovea::image {

struct Inspection {
  Image image;
  std::string format;        // "jpeg", "png", "webp", "gif", "bmp"
  int orientation = 1;       // EXIF, 1..8
  bool transparent = false;  // some pixel is
  bool grey = false;         // every pixel is
};

// Throws as read_image.
Inspection inspect_image(const std::string& path, Alpha alpha = Alpha::white);

// What is kept of it.
struct Look {
  std::string format;
  int orientation = 1;
  bool transparent = false, grey = false;
  Fingerprint print;
};
Look look_of(const Inspection& seen);

}  // namespace fovea::image
