// Changes of normalized pictures and of whole batches, after torchvision's RandomErasing, MixUp and CutMix.
#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"
#include "image/resize.h"

namespace fovea::image {

// Zhong et al. 2017, arXiv:1708.04896: with this probability a rectangle becomes 0, which is the mean colour. Shares of the area; height /
// width is drawn evenly in its logarithm.
struct Erasing {
  double probability = 0;
  double area_min = 0.02, area_max = 0.33;
  double ratio_min = 0.3, ratio_max = 3.3;

  bool operator==(const Erasing&) const = default;
};

// The rectangle, empty where there is none. The numbers are the stream's from `place` on, at most 41.
Window draw_erased(const Erasing& erasing, Size size, const RandomStream& random, uint64_t place);
// `pixels` is [height, width, channels].
void erase(std::span<float> pixels, Size size, const Window& window);

// Alphas of the Beta distributions, 0 where there is none; with both each batch takes one of them, evenly.
struct Mixing {
  double mixup = 0;   // Zhang et al. 2017, arXiv:1710.09412
  double cutmix = 0;  // Yun et al. 2019, arXiv:1905.04899

  bool any() const { return mixup > 0 || cutmix > 0; }
  bool operator==(const Mixing&) const = default;
};

// What each picture of a batch takes from the one before it, the first from the last: 1 - share of every pixel, or the pixels of `box`.
struct Mix {
  double share = 1;  // of the label that stays
  bool by_box = false;
  Window box;

  bool operator==(const Mix&) const = default;
};

// Which random numbers: they depend on these three alone. `batch` is the number in the epoch.
struct BatchDraw {
  uint64_t seed = 0;
  int64_t epoch = 0, batch = 0;
};
Mix draw_mix(const Mixing& mixing, Size size, const BatchDraw& draw);
// cutmix's: a box of 1 - share of the area around pixel (x, y), cut off at the border; the share follows from what is left of it.
Mix mix_by_box(Size size, double share, int64_t x, int64_t y);

// Batch [N, height, width, channels], channels last, in place.
void mix_images(std::span<float> images, int64_t count, Size size, const Mix& mix);
// Its targets [N, classes] mixed alike: what classes a picture has, and how much of each.
void mix_targets(std::span<float> targets, int64_t count, const Mix& mix);

// Draws from Beta(alpha, alpha), with as many numbers of the stream as it takes, from `place` on.
double draw_beta(double alpha, const RandomStream& random, uint64_t place);

}  // namespace fovea::image
