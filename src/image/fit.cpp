#include "image/fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "image/codecs.h"

namespace fovea {
namespace image {

int64_t round_half_even(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

namespace {

// Where the crop of one axis begins: negative where the picture is smaller and black is put around.
int64_t crop_begin(int64_t size, int64_t crop, Resizer resizer) {
  if (size < crop) return -((crop - size) / 2);
  if (resizer == Resizer::torchvision) return (size - crop) / 2;
  return round_half_even(static_cast<double>(size - crop) / 2.0);
}

struct Stretch {
  int64_t begin = 0, count = 0;
};

// The part of [begin, begin + count) that lies in [0, size).
Stretch inside(int64_t begin, int64_t count, int64_t size) {
  const int64_t first = std::clamp<int64_t>(begin, 0, size), last = std::clamp<int64_t>(begin + count, 0, size);
  return {first, last - first};
}

// Window (left, top, width, height) of the source resized to `size`; what lies outside has `fill`.
Image place(const View& source, Size size, const Window& window, Resampling resampling, std::array<uint8_t, 3> fill) {
  Image result{window.width, window.height, std::vector<uint8_t>(static_cast<size_t>(3 * window.width * window.height))};
  const Stretch columns = inside(window.left, window.width, size.width), rows = inside(window.top, window.height, size.height);
  if ((columns.count < window.width || rows.count < window.height) && fill != std::array<uint8_t, 3>{}) {
    for (size_t i = 0; i < result.pixels.size(); ++i) result.pixels[i] = fill[i % 3];
  }
  uint8_t* out = result.pixels.data() + 3 * ((rows.begin - window.top) * window.width + columns.begin - window.left);
  resize_window(source, size, {columns.begin, rows.begin, columns.count, rows.count}, resampling, out, 3 * window.width);
  return result;
}

// torchvision's Resize(n): the shorter side becomes n, the longer is rounded down.
Size shorter_side(Size source, int64_t n) {
  const int64_t shorter = std::min(source.width, source.height), longer = std::max(source.width, source.height);
  const auto scaled = static_cast<int64_t>(static_cast<double>(n * longer) / static_cast<double>(shorter));
  return source.width <= source.height ? Size{n, scaled} : Size{scaled, n};
}

// Pillow's ImageOps.contain: the largest size of the same shape inside the given one.
Size contained(Size source, Size most) {
  const double ratio = static_cast<double>(source.width) / static_cast<double>(source.height);
  const double wanted = static_cast<double>(most.width) / static_cast<double>(most.height);
  if (ratio > wanted) {
    const double height = static_cast<double>(source.height) / static_cast<double>(source.width) * static_cast<double>(most.width);
    return {most.width, std::clamp<int64_t>(round_half_even(height), 1, most.height)};
  }
  if (ratio < wanted) return {std::clamp<int64_t>(round_half_even(ratio * static_cast<double>(most.height)), 1, most.width), most.height};
  return most;
}

uint8_t mean_level(float mean) { return static_cast<uint8_t>(std::clamp(std::nearbyint(mean * 255.0f), 0.0f, 255.0f)); }

void check_output(const Preprocessing& p) {
  if (p.width <= 0 || p.height <= 0 || ((p.fit == Fit::crop || p.fit == Fit::squash_crop) && p.resize <= 0)) {
    fail(ErrorKind::usage, "preprocessing to {} x {} pixels, resize {}", p.width, p.height, p.resize);
  }
  check_size(p.width, p.height);
}

// (value / 255 - mean) / std in float, in torchvision's order of operations.
std::array<std::array<float, 256>, 3> normalized_levels(const Preprocessing& p) {
  std::array<std::array<float, 256>, 3> levels;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t v = 0; v < 256; ++v) levels[c][v] = (static_cast<float>(v) / 255.0f - p.mean[c]) / p.std[c];
  }
  return levels;
}

}  // namespace

Placement placement_of(Size picture, const Preprocessing& p) {
  check_output(p);
  if (p.fit == Fit::crop || p.fit == Fit::squash_crop) {
    const Size size = shorter_side(p.fit == Fit::crop ? picture : Size{p.width, p.height}, p.resize);
    return {size, {crop_begin(size.width, p.width, p.resizer), crop_begin(size.height, p.height, p.resizer), p.width, p.height}};
  }
  if (p.fit == Fit::squash) return {{p.width, p.height}, {0, 0, p.width, p.height}};
  const Size size = contained(picture, {p.width, p.height});
  return {size,
          {-round_half_even(static_cast<double>(p.width - size.width) * 0.5),
           -round_half_even(static_cast<double>(p.height - size.height) * 0.5), p.width, p.height}};
}

Image fit(const View& source, const Preprocessing& p) {
  const Placement placement = placement_of({source.width, source.height}, p);
  std::array<uint8_t, 3> fill{};
  if (p.fit == Fit::pad) fill = {mean_level(p.mean[0]), mean_level(p.mean[1]), mean_level(p.mean[2])};
  return place(source, placement.size, placement.window, {p.interpolation, p.resizer}, fill);
}

void normalize_into(const Image& image, const Preprocessing& p, float* out) { normalize_fitted_into(fovea::fit(image, p), p, out); }

void normalize_fitted_into(const Image& image, const Preprocessing& p, float* out) {
  check_image(image);
  if (image.width != p.width || image.height != p.height) {
    fail(ErrorKind::mismatch, "an image of {} x {} pixels where {} x {} are wanted", image.width, image.height, p.width, p.height);
  }
  const auto levels = normalized_levels(p);
  const uint8_t* in = image.pixels.data();
  for (int64_t i = 0; i < image.width * image.height; ++i, in += 3, out += 3) {
    out[0] = levels[0][in[0]];
    out[1] = levels[1][in[1]];
    out[2] = levels[2][in[2]];
  }
}

}  // namespace image

Image fit(const Image& image, const Preprocessing& preprocessing) {
  image::check_image(image);
  return image::fit(image::view(image), preprocessing);
}

Tensor preprocess(const Image& image, const Preprocessing& p) {
  const Image fitted = fit(image, p);
  Tensor result(DType::f32, {3, p.height, p.width});
  float* out = result.mutable_values<float>().data();
  const auto levels = image::normalized_levels(p);
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = c; i < fitted.pixels.size(); i += 3) *out++ = levels[c][fitted.pixels[i]];
  }
  return result;
}

Image crop(const Image& image, int64_t left, int64_t top, int64_t width, int64_t height) {
  if (width <= 0 || height <= 0) fail(ErrorKind::usage, "cropping to {} x {} pixels", width, height);
  image::check_image(image);
  image::check_size(width, height);
  constexpr int64_t far = int64_t{1} << 40;  // beyond any picture; keeps the sums below from overflowing
  const image::Window window{std::clamp(left, -far, far), std::clamp(top, -far, far), width, height};
  return image::place(image::view(image), {image.width, image.height}, window, {Interpolation::nearest}, {});
}

Image image_from_memory(const uint8_t* pixels, int64_t width, int64_t height, int64_t stride_bytes, PixelOrder order) {
  image::check_size(width, height);
  if (!pixels) fail(ErrorKind::usage, "an image of {} x {} pixels from no memory", width, height);
  if (stride_bytes == 0) stride_bytes = 3 * width;
  if (stride_bytes < 3 * width)
    fail(ErrorKind::usage, "rows of {} pixels are {} bytes apart, less than {}", width, stride_bytes, 3 * width);
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height))};
  uint8_t* out = image.pixels.data();
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* in = pixels + y * stride_bytes;
    if (order == PixelOrder::rgb)
      out = std::copy_n(in, 3 * width, out);
    else {
      for (int64_t x = 0; x < width; ++x, in += 3, out += 3) {
        out[0] = in[2];
        out[1] = in[1];
        out[2] = in[0];
      }
    }
  }
  return image;
}

}  // namespace fovea
