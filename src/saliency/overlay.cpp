#include <fovea/heat_map.h>

#include <cmath>

#include "base/error.h"
#include "image/channels.h"
#include "saliency/color_map.h"

namespace fovea {

Image overlay(const Image& picture, const Tensor& heat) {
  const std::vector<int64_t> size{picture.height, picture.width};
  if (heat.shape() != size)
    fail(ErrorKind::mismatch, "a heat map of {} over a picture of {}", shape_string(heat.shape()), shape_string(size));
  constexpr float kShare = 0.6f;  // of the heat's colour where the heat is 1
  Image result = image::rgb_of(picture);
  uint8_t* pixel = result.pixels.data();
  for (const float value : heat.values<float>()) {
    for (const uint8_t color : saliency::viridis(value)) {
      *pixel = static_cast<uint8_t>(std::lround(std::lerp(static_cast<float>(*pixel), static_cast<float>(color), kShare * value)));
      ++pixel;
    }
  }
  return result;
}

}  // namespace fovea
