// Random changes of training pictures, after torchvision's RandomResizedCrop, flips, policies, ColorJitter and RandomErasing, in the order
// of its reference training: crop, flips, policy, colours, normalization, erasing.
#pragma once

#include <fovea/image.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "image/mix.h"
#include "image/policy.h"

namespace fovea::image {

struct Augmentation {
  bool random_resized_crop = false;  // in place of Preprocessing::fit
  // BiT's crop, in place of these two: the picture squashed to so many times the network's size, and a random part of that size. 0: none.
  double enlarged = 0;
  double scale_min = 0.08, scale_max = 1.0;             // of the picture's area
  double ratio_min = 3.0 / 4.0, ratio_max = 4.0 / 3.0;  // width / height, drawn evenly in its logarithm
  double flip = 0.5;                                    // probability of mirroring left and right
  double vertical_flip = 0;                             // and top and bottom
  PolicyOptions policy = {};
  // Factors are drawn from [max(0, 1 - x), 1 + x], the hue's shift from [-hue, hue], hue <= 0.5; 0 leaves that change out.
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  Erasing erasing = {};

  // The caller's own augmentation, which takes the place of all of these: it changes a decoded picture before that is fitted.
  std::shared_ptr<const std::function<Image(const Image& picture, uint64_t random)>> own = {};

  // Pictures are not trained on as Preprocessing::fit gives them.
  bool crops() const { return random_resized_crop || enlarged > 0 || own; }

  bool operator==(const Augmentation&) const = default;
};

// Which random numbers: they depend on these three alone.
struct Draw {
  uint64_t seed = 0;
  int64_t epoch = 0, index = 0;
};

// A changed picture of preprocessing.height x width. Throws Error(usage) for ranges that make no sense.
Image augment(const Image& image, const Augmentation& augmentation, const Preprocessing& preprocessing, const Draw& draw);
// The steps of it. The part of the picture that a crop keeps, by torchvision's RandomResizedCrop, and that part as the network gets it.
Window draw_crop(Size size, const Augmentation& augmentation, const Draw& draw);
Image resized_crop(const Image& image, const Window& window, const Preprocessing& preprocessing);
// What Augmentation::enlarged makes of a picture before the crop.
Size enlarged_size(const Augmentation& augmentation, const Preprocessing& preprocessing);
// All but the crop, of a picture that has been through fit: augment without crops is fit and then this. Policies and colours are of RGB:
// pictures of other channels are only turned.
void augment_fitted(Image& fitted, const Augmentation& augmentation, const Draw& draw);
// What comes after normalization, [height, width, channels].
void augment_normalized(std::span<float> pixels, Size size, const Augmentation& augmentation, const Draw& draw);
// The record of a run: every number in one line.
std::string to_string(const Augmentation& augmentation);
void check_augmentation(const Augmentation& augmentation);

}  // namespace fovea::image
