#include "image/use.h"

#include <cmath>

#include "image/fit.h"

namespace fovea::image {
namespace {

// Of what a picture must measure so that nothing is enlarged. The antialiasing of the resize that follows keeps something to average: with
// nothing left to it, pixels differ several times as much from those of an exact decoding.
constexpr double margin = 1.5;

Size enlarged(double width, double height) {
  return {static_cast<int64_t>(std::ceil(margin * width)), static_cast<int64_t>(std::ceil(margin * height))};
}

Size least_size(Size picture, const Use& use) {
  const Preprocessing& p = use.preprocessing;
  if (!use.crops) {
    const Size size = placement_of(picture, p).size;
    return enlarged(static_cast<double>(size.width), static_cast<double>(size.height));
  }
  const double width = static_cast<double>(picture.width), height = static_cast<double>(picture.height);
  const double narrowest = std::sqrt(width * height * use.crops->scale_min * use.crops->ratio_min);
  const double lowest = std::sqrt(width * height * use.crops->scale_min / use.crops->ratio_max);
  const double share = std::min(narrowest / static_cast<double>(p.width), lowest / static_cast<double>(p.height));
  return enlarged(width / share, height / share);
}

}  // namespace

Reduction reduction_of(const Use& use) {
  if (use.preprocessing.decode == Decode::exact) return nullptr;
  return [use](Size picture) {
    const Size least = least_size(picture, use);
    for (int by : {8, 4, 2}) {
      // Else the last column or row is of a pixel that reaches beyond the picture, and what is resized lies beside where it belongs.
      const bool divides = picture.width % by == 0 && picture.height % by == 0;
      if (divides && picture.width / by >= least.width && picture.height / by >= least.height) return by;
    }
    return 1;
  };
}

}  // namespace fovea::image
