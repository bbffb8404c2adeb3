#include "report/thumbnail.h"

#include <algorithm>
#include <cmath>

#include "base/base64.h"
#include "image/channels.h"
#include "report/html.h"

namespace fovea::report {

Image thumbnail(const Image& whole) {
  const Image picture = image::rgb_of(whole);
  constexpr int64_t kSide = 200;  // pixels of the longer side
  const double scale = static_cast<double>(kSide) / static_cast<double>(std::max(picture.width, picture.height));
  if (scale >= 1) return picture;
  const auto scaled = [&](int64_t side) { return std::max<int64_t>(1, std::llround(scale * static_cast<double>(side))); };
  return resize(picture, scaled(picture.width), scaled(picture.height), Interpolation::bicubic);
}

std::string picture_element(const Image& small, const std::string& words) {
  constexpr int kQuality = 85;
  return fmt::format("<img width=\"{}\" height=\"{}\" alt=\"{}\" src=\"data:image/jpeg;base64,{}\">", small.width, small.height,
                     escaped(words), base64(encode_jpeg(small, kQuality)));
}

}  // namespace fovea::report
