#include "image/geometry.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "base/error.h"
#include "image/resize.h"

namespace fovea::image {
namespace {

// Pillow's COORD: what lies left of 0 is outside, however near.
int64_t pixel_of(double v) { return v < 0.0 ? -1 : static_cast<int64_t>(v); }

void copy_pixel(const uint8_t* in, uint8_t* out) {
  out[0] = in[0];
  out[1] = in[1];
  out[2] = in[2];
}

// Scaling and moving alone: one table for the columns, and whole rows.
void scale_nearest(const Image& image, const Affine& affine, Image& result) {
  std::vector<int64_t> columns(static_cast<size_t>(result.width), -1);
  double from = affine.x[2] + affine.x[0] * 0.5;
  for (int64_t& column : columns) {
    const int64_t x = pixel_of(from);
    if (x < image.width) column = x;
    from += affine.x[0];
  }
  from = affine.y[2] + affine.y[1] * 0.5;
  for (int64_t row = 0; row < result.height; ++row, from += affine.y[1]) {
    const int64_t y = pixel_of(from);
    if (y < 0 || y >= image.height) continue;
    const uint8_t* in = image.pixels.data() + 3 * image.width * y;
    uint8_t* out = result.pixels.data() + 3 * result.width * row;
    for (int64_t column : columns) {
      if (column >= 0) copy_pixel(in + 3 * column, out);
      out += 3;
    }
  }
}

bool fits_fixed(const Affine& a, double x, double y) {
  const auto fits = [&](const std::array<double, 3>& row) { return std::fabs(x * row[0] + y * row[1] + row[2]) < 32768.0; };
  return fits(a.x) && fits(a.y);
}

// In 16.16 fixed point, or in double where that is too narrow: Number is the coordinate, `whole` its pixel.
template <class Number, class Whole>
void sample_nearest(const Image& image, std::array<Number, 3> ax, std::array<Number, 3> ay, Whole whole, Image& result) {
  uint8_t* out = result.pixels.data();
  for (int64_t row = 0; row < result.height; ++row) {
    Number xx = ax[2], yy = ay[2];
    for (int64_t column = 0; column < result.width; ++column, out += 3) {
      const int64_t x = whole(xx), y = whole(yy);
      if (x >= 0 && x < image.width && y >= 0 && y < image.height) copy_pixel(image.pixels.data() + 3 * (y * image.width + x), out);
      xx += ax[0];
      yy += ay[0];
    }
    ax[2] += ax[1];
    ay[2] += ay[1];
  }
}

void transform_nearest(const Image& image, const Affine& affine, Image& result) {
  if (affine.x[1] == 0 && affine.y[0] == 0) return scale_nearest(image, affine, result);
  const double width = static_cast<double>(result.width), height = static_cast<double>(result.height);
  if (fits_fixed(affine, 0, 0) && fits_fixed(affine, width, height) && fits_fixed(affine, 0, height) && fits_fixed(affine, width, 0)) {
    const auto fixed = [](double v) { return static_cast<int64_t>(std::floor(v * 65536.0 + 0.5)); };
    const auto row = [&](const std::array<double, 3>& a) {
      return std::array<int64_t, 3>{fixed(a[0]), fixed(a[1]), fixed(a[2] + a[0] * 0.5 + a[1] * 0.5)};
    };
    return sample_nearest(
        image, row(affine.x), row(affine.y), [](int64_t v) { return v >> 16; }, result);
  }
  const auto row = [](const std::array<double, 3>& a) { return std::array<double, 3>{a[0], a[1], a[2] + a[1] * 0.5 + a[0] * 0.5}; };
  sample_nearest(image, row(affine.x), row(affine.y), pixel_of, result);
}

void transform_bilinear(const Image& image, const Affine& affine, Image& result) {
  const double width = static_cast<double>(image.width), height = static_cast<double>(image.height);
  uint8_t* out = result.pixels.data();
  for (int64_t row = 0; row < result.height; ++row) {
    for (int64_t column = 0; column < result.width; ++column, out += 3) {
      const double x_out = static_cast<double>(column) + 0.5, y_out = static_cast<double>(row) + 0.5;
      double x = affine.x[0] * x_out + affine.x[1] * y_out + affine.x[2], y = affine.y[0] * x_out + affine.y[1] * y_out + affine.y[2];
      if (!(x >= 0.0 && x < width && y >= 0.0 && y < height)) continue;
      x -= 0.5;
      y -= 0.5;
      const double left = std::floor(x), top = std::floor(y), dx = x - left, dy = y - top;
      const auto x0 = static_cast<int64_t>(left), y0 = static_cast<int64_t>(top);
      const auto row_of = [&](int64_t v) { return image.pixels.data() + 3 * image.width * std::clamp<int64_t>(v, 0, image.height - 1); };
      const int64_t first = 3 * std::max<int64_t>(x0, 0), second = 3 * std::min<int64_t>(x0 + 1, image.width - 1);
      const uint8_t *above = row_of(y0), *below = row_of(y0 + 1);
      for (int c = 0; c < 3; ++c) {
        const auto across = [&](const uint8_t* in) { return in[first + c] + (in[second + c] - in[first + c]) * dx; };
        const double v1 = across(above), v2 = across(below);
        out[c] = static_cast<uint8_t>(v1 + (v2 - v1) * dy);
      }
    }
  }
}

double radians(double degrees) { return degrees * (std::numbers::pi / 180.0); }

// As torchvision takes slopes: through an angle in degrees, and back.
double tangent(double slope) { return std::tan(radians(std::atan(slope) * (180.0 / std::numbers::pi))); }

// Python's round(value, 15).
double round_to_15(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.15f", value);
  return std::strtod(text, nullptr);
}

void turn_half(Image& image) {
  flip_horizontally(image);
  flip_vertically(image);
}

// Counter-clockwise or clockwise by a quarter; of a square.
Image turned_quarter(const Image& image, bool clockwise) {
  Image result = image;
  const int64_t side = image.width;
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const int64_t from = clockwise ? (side - 1 - x) * side + y : x * side + side - 1 - y;
      copy_pixel(image.pixels.data() + 3 * from, result.pixels.data() + 3 * (y * side + x));
    }
  }
  return result;
}

}  // namespace

Image transform(const Image& image, const Affine& affine, const Sampling& sampling) {
  check_rgb(image);
  Image result{image.width, image.height, std::vector<uint8_t>(image.pixels.size(), sampling.fill[0])};
  if (sampling.fill[1] != sampling.fill[0] || sampling.fill[2] != sampling.fill[0])
    for (size_t i = 0; i < result.pixels.size(); ++i) result.pixels[i] = sampling.fill[i % 3];
  if (sampling.interpolation == Interpolation::nearest)
    transform_nearest(image, affine, result);
  else if (sampling.interpolation == Interpolation::bilinear)
    transform_bilinear(image, affine, result);
  else
    fail(ErrorKind::usage, "pictures are sheared, moved and turned with nearest or bilinear sampling, {} was asked for",
         to_string(sampling.interpolation));
  return result;
}

Affine sheared_x(double slope) { return {{1, tangent(slope), 0}, {0, 1, 0}}; }

Affine sheared_y(double slope) {
  // torchvision's matrix for a shear along y: cos(s) / cos(s) is 1, and -sin(-s) / cos(s) stands for the tangent.
  const double s = radians(std::atan(slope) * (180.0 / std::numbers::pi));
  return {{1, 0, 0}, {-std::sin(-s) / std::cos(s), 1, 0}};
}

Affine translated(double right, double down) { return {{1, 0, -right}, {0, 1, -down}}; }

Image rotate(const Image& image, double degrees, const Sampling& sampling) {
  check_rgb(image);
  double angle = std::fmod(degrees, 360.0);
  if (angle < 0) angle += 360.0;
  if (angle == 0) return image;
  if (angle == 180) {
    Image result = image;
    turn_half(result);
    return result;
  }
  if ((angle == 90 || angle == 270) && image.width == image.height) return turned_quarter(image, angle == 270);
  const double turn = -radians(angle), cx = static_cast<double>(image.width) / 2, cy = static_cast<double>(image.height) / 2;
  const double c = round_to_15(std::cos(turn)), s = round_to_15(std::sin(turn)), minus_s = round_to_15(-std::sin(turn));
  Affine affine{{c, s, 0}, {minus_s, c, 0}};
  affine.x[2] = c * -cx + s * -cy + 0.0 + cx;
  affine.y[2] = minus_s * -cx + c * -cy + 0.0 + cy;
  return transform(image, affine, sampling);
}

void flip_horizontally(Image& image) {
  for (int64_t y = 0; y < image.height; ++y) {
    const int64_t channels = image.channels;
    uint8_t* left = image.pixels.data() + channels * image.width * y;
    for (uint8_t* right = left + channels * (image.width - 1); left < right; left += channels, right -= channels)
      std::swap_ranges(left, left + channels, right);
  }
}

void flip_vertically(Image& image) {
  const int64_t bytes = image.channels * image.width;
  uint8_t* top = image.pixels.data();
  for (uint8_t* bottom = top + bytes * (image.height - 1); top < bottom; top += bytes, bottom -= bytes)
    std::swap_ranges(top, top + bytes, bottom);
}

}  // namespace fovea::image
