// Colour changes on 8-bit pixels with the arithmetic of Pillow's ImageEnhance, ImageOps and HSV conversion, as torchvision applies them to
// Pillow's images.
#pragma once

#include <fovea/image.h>

namespace fovea::image {

// Each in place. A factor of 1 (for hue: 0) changes nothing, apart from hue's way through HSV, which rounds.
void adjust_brightness(Image& image, double factor);
void adjust_contrast(Image& image, double factor);
void adjust_saturation(Image& image, double factor);
// `shift` in turns, -0.5..0.5.
void adjust_hue(Image& image, double shift);
// Between the picture smoothed by Pillow's SMOOTH filter (0) and beyond itself; the border is left as it is.
void adjust_sharpness(Image& image, double factor);

// Keeps the upper `bits`, 0..8, of each channel. Throws Error(usage) for others.
void posterize(Image& image, int bits);
// Inverts what is not below the threshold.
void solarize(Image& image, double threshold);
void invert(Image& image);
// Each channel on its own: stretched from its darkest to its lightest level, or by its histogram.
void autocontrast(Image& image);
void equalize(Image& image);

}  // namespace fovea::image
