// How a decoded picture will be used (its size, its fit, random crops): this decides at which reduced scale a JPEG may be decoded.
#pragma once

#include <fovea/image.h>

#include <optional>

#include "image/codecs.h"

namespace fovea::image {

// Rectangles of at least this share of the area, and of shapes (width / height) between these.
struct CropRange {
  double scale_min = 0.08;
  double ratio_min = 3.0 / 4.0, ratio_max = 4.0 / 3.0;

  bool operator==(const CropRange&) const = default;
};

struct Use {
  Preprocessing preprocessing;
  std::optional<CropRange> crops = {};  // random ones, in place of Preprocessing::fit

  bool operator==(const Use&) const = default;
};

// How far a JPEG may be reduced: to sides that are whole and still half as large again as they must be for nothing to be enlarged. Null
// where every pixel is wanted.
Reduction reduction_of(const Use& use);

// Throws as fovea::read_image does.
Image read_for_use(const std::string& path, const Use& use);

}  // namespace fovea::image
