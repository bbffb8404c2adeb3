#include "image/fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "image/channels.h"
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

// (value / 255 - mean) / std in float, in torchvision's order of operations, of each channel.
std::vector<std::array<float, 256>> normalized_levels(const Preprocessing& p, int64_t channels) {
  std::vector<std::array<float, 256>> levels(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) {
    const float mean = of_channel(p.mean, c), deviation = of_channel(p.std, c);
    for (size_t v = 0; v < 256; ++v) levels[static_cast<size_t>(c)][v] = (static_cast<float>(v) / 255.0f - mean) / deviation;
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

Image fit(const View& source, const Preprocessing& p, int64_t first_channel) {
  const Placement placement = placement_of({source.width, source.height}, p);
  std::array<uint8_t, 3> fill{};
  if (p.fit == Fit::pad)
    for (int64_t c = 0; c < 3; ++c) fill[static_cast<size_t>(c)] = mean_level(of_channel(p.mean, first_channel + c));
  return place(source, placement.size, placement.window, {p.interpolation, p.resizer}, fill);
}

void normalize_into(const Image& image, const Preprocessing& p, float* out) { normalize_fitted_into(fovea::fit(image, p), p, out); }

void normalize_fitted_into(const Image& image, const Preprocessing& p, float* out) {
  check_image(image);
  if (image.width != p.width || image.height != p.height) {
    fail(ErrorKind::mismatch, "an image of {} x {} pixels where {} x {} are wanted", image.width, image.height, p.width, p.height);
  }
  const auto levels = normalized_levels(p, image.channels);
  const uint8_t* in = image.pixels.data();
  if (image.channels == 3) {
    const auto &red = levels[0], &green = levels[1], &blue = levels[2];
    for (int64_t i = 0; i < image.width * image.height; ++i, in += 3, out += 3) {
      out[0] = red[in[0]];
      out[1] = green[in[1]];
      out[2] = blue[in[2]];
    }
    return;
  }
  for (int64_t i = 0; i < image.width * image.height; ++i)
    for (const auto& level : levels) *out++ = level[*in++];
}

}  // namespace image

Image fit(const Image& image, const Preprocessing& preprocessing) {
  image::check_image(image);
  return image::by_threes(image, [&](const Image& rgb, int64_t first) { return image::fit(image::view(rgb), preprocessing, first); });
}

Tensor preprocess(const Image& image, const Preprocessing& p) {
  const Image fitted = fit(image, p);
  Tensor result(DType::f32, {fitted.channels, p.height, p.width});
  float* out = result.mutable_values<float>().data();
  const auto levels = image::normalized_levels(p, fitted.channels);
  for (size_t c = 0; c < levels.size(); ++c) {
    for (size_t i = c; i < fitted.pixels.size(); i += levels.size()) *out++ = levels[c][fitted.pixels[i]];
  }
  return result;
}

std::vector<Tensor> preprocess_views(const Image& image, const Preprocessing& preprocessing) {
  std::vector<Tensor> views;
  Preprocessing one = preprocessing;
  for (const Fit fit : fits_of(preprocessing)) {
    one.fit = fit;
    views.push_back(preprocess(image, one));
  }
  return views;
}

Image crop(const Image& image, int64_t left, int64_t top, int64_t width, int64_t height) {
  if (width <= 0 || height <= 0) fail(ErrorKind::usage, "cropping to {} x {} pixels", width, height);
  image::check_image(image);
  image::check_size(width, height);
  constexpr int64_t far = int64_t{1} << 40;  // beyond any picture; keeps the sums below from overflowing
  const image::Window window{std::clamp(left, -far, far), std::clamp(top, -far, far), width, height};
  return image::by_threes(image, [&](const Image& rgb, int64_t) {
    return image::place(image::view(rgb), {image.width, image.height}, window, {Interpolation::nearest}, {});
  });
}

namespace {

// Of rows of so many channels.
void check_memory(const uint8_t* pixels, int64_t width, int64_t height, int64_t channels, int64_t& stride_bytes) {
  image::check_size(width, height);
  if (!pixels) fail(ErrorKind::usage, "an image of {} x {} pixels from no memory", width, height);
  if (stride_bytes == 0) stride_bytes = channels * width;
  if (stride_bytes < channels * width)
    fail(ErrorKind::usage, "rows of {} pixels are {} bytes apart, less than {}", width, stride_bytes, channels * width);
}

}  // namespace

Image image_from_memory(const uint8_t* pixels, int64_t width, int64_t height, int64_t stride_bytes, PixelOrder order, Alpha alpha) {
  const bool grey = order == PixelOrder::grey, transparent = order == PixelOrder::rgba || order == PixelOrder::bgra;
  const int64_t channels = grey ? 1 : transparent ? 4 : 3;
  check_memory(pixels, width, height, channels, stride_bytes);
  image::Decoded picture;
  picture.width = width;
  picture.height = height;
  picture.channels = static_cast<int>(grey ? 3 : channels);
  picture.pixels.resize(static_cast<size_t>(picture.channels * width * height));
  uint8_t* out = picture.pixels.data();
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* in = pixels + y * stride_bytes;
    if (grey)
      for (int64_t x = 0; x < width; ++x, out += 3) std::fill_n(out, 3, in[x]);
    else
      out = std::copy_n(in, channels * width, out);
  }
  if (order == PixelOrder::bgr || order == PixelOrder::bgra)
    for (size_t i = 0; i < picture.pixels.size(); i += static_cast<size_t>(channels)) std::swap(picture.pixels[i], picture.pixels[i + 2]);
  image::drop_alpha(picture, alpha);
  return {width, height, std::move(picture.pixels)};
}

Image image_from_channels(const uint8_t* pixels, int64_t width, int64_t height, int64_t channels, int64_t stride_bytes) {
  if (channels < 2) fail(ErrorKind::usage, "an image of {} channels, at least 2 expected; image_from_memory takes grey ones", channels);
  if (channels > image::kMostChannels)
    fail(ErrorKind::usage, "an image of {} channels, at most {} expected", channels, image::kMostChannels);
  check_memory(pixels, width, height, channels, stride_bytes);
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(channels * width * height)), channels};
  for (int64_t y = 0; y < height; ++y) std::copy_n(pixels + y * stride_bytes, channels * width, image.pixels.data() + y * channels * width);
  return image;
}

}  // namespace fovea
