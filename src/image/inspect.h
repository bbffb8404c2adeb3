// A picture with what its file says of it.
#pragma once

#include <fovea/image.h>

#include <string>

#include "image/duplicates.h"
#include "image/use.h"

namespace fovea::image {

struct Inspection {
  Image image;
  int64_t width = 0, height = 0;  // of the whole picture, upright; of `image` too unless it was decoded at a part of its size
  std::string format;             // its name in formats.h, lower case: "jpeg", "tiff"; empty: it is no file
  int orientation = 1;            // EXIF, 1..8
  bool transparent = false;       // some pixel is
  bool grey = false;              // every pixel is
};

// `image` as read_for_use gives it. Throws as read_image.
Inspection inspect_image(const std::string& path, const Use& use = {});

bool is_grey(const Image& image);  // every pixel is

// What is kept of a picture.
struct Look {
  std::string format;
  int orientation = 1;
  bool transparent = false, grey = false;
  Fingerprint print;
};
Look look_of(const Inspection& seen);

}  // namespace fovea::image
