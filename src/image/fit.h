// Brings a picture of any shape to that of the network's input.
#pragma once

#include <fovea/image.h>

#include "image/resize.h"

namespace fovea::image {

// Does for a view what fovea::fit does for a picture; of two shapes it takes the first. The view's first channel is this one of the picture,
// which matters to what is padded.
Image fit(const View& source, const Preprocessing& preprocessing, int64_t first_channel = 0);

// What fit does to a picture of this size: resizes it to `size` and takes `window` of that, which may reach beyond it.
struct Placement {
  Size size;
  Window window;
};
Placement placement_of(Size picture, const Preprocessing& preprocessing);

// The normalized pixels of fit(image), channels last: out holds height * width * channels floats.
void normalize_into(const Image& image, const Preprocessing& preprocessing, float* out_nhwc);
// The same for an image that has been through fit or augment already.
void normalize_fitted_into(const Image& fitted, const Preprocessing& preprocessing, float* out_nhwc);

// Round half to even, as Python's round().
int64_t round_half_even(double value);

}  // namespace fovea::image
