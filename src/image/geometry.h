// Affine changes of 8-bit pictures with Pillow's arithmetic, and the matrices that torchvision gives it.
#pragma once

#include <fovea/image.h>

#include <array>

namespace fovea::image {

using Color = std::array<uint8_t, 3>;

// Where a pixel of the result comes from: x of the source is x[0] * x + x[1] * y + x[2], y likewise.
struct Affine {
  std::array<double, 3> x{1, 0, 0}, y{0, 1, 0};
};

// How pixels between the source's are taken, and what shows where there are none.
struct Sampling {
  Interpolation interpolation = Interpolation::nearest;  // or bilinear; without antialiasing
  Color fill{0, 0, 0};

  bool operator==(const Sampling&) const = default;
};

// Transforms to the same size, as Pillow's Image.transform does: nearest in 16.16 fixed point where the coordinates fit, bilinear in double
// and cut off. Throws Error(usage) for bicubic.
Image transform(const Image& image, const Affine& affine, const Sampling& sampling = {});

// The parts of torchvision's functional.affine, each alone. The slopes are tangents: x (y) moves by `slope` times the distance from the top
// (left) edge.
Affine sheared_x(double slope);
Affine sheared_y(double slope);
Affine translated(double right, double down);

// Counter-clockwise about the centre, by Pillow's Image.rotate.
Image rotate(const Image& image, double degrees, const Sampling& sampling = {});

void flip_horizontally(Image& image);
void flip_vertically(Image& image);

}  // namespace fovea::image
