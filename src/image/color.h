// Colour changes on 8-bit pixels with the arithmetic of Pillow's ImageEnhance and HSV conversion, as torchvision applies them to Pillow's
// images.
#pragma once

#include <fovea/image.h>

namespace fovea::image {

// Each in place. A factor of 1 (for hue: 0) changes nothing, apart from hue's way through HSV, which rounds.
void adjust_brightness(Image& image, double factor);
void adjust_contrast(Image& image, double factor);
void adjust_saturation(Image& image, double factor);
// `shift` in turns, -0.5..0.5.
void adjust_hue(Image& image, double shift);

void flip_horizontally(Image& image);

}  // namespace fovea::image
