#include "image/color.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace fovea::image {
namespace {

// Pillow's Image.blend: float arithmetic, cut off, not rounded.
uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  if (value <= 0.0f) return 0;
  if (value >= 255.0f) return 255;
  return static_cast<uint8_t>(value);
}

// Blends every channel with one grey level.
void blend_with(Image& image, int level, double factor) {
  std::array<uint8_t, 256> table;
  for (int v = 0; v < 256; ++v) table[static_cast<size_t>(v)] = blend(level, v, static_cast<float>(factor));
  for (uint8_t& v : image.pixels) v = table[v];
}

// ITU-R 601 luma in 16-bit fixed point, Pillow's "L".
int luma(const uint8_t* rgb) { return static_cast<int>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16); }

// Pillow's rgb2hsv in its mix of float and double, since both truncate.
std::array<uint8_t, 3> to_hsv(const uint8_t* rgb) {
  const int r = rgb[0], g = rgb[1], b = rgb[2];
  const int most = std::max({r, g, b}), least = std::min({r, g, b});
  if (most == least) return {0, 0, static_cast<uint8_t>(most)};
  const float range = static_cast<float>(most - least), s = range / static_cast<float>(most);
  const float rc = static_cast<float>(most - r) / range, gc = static_cast<float>(most - g) / range,
              bc = static_cast<float>(most - b) / range;
  float h;
  if (r == most)
    h = bc - gc;
  else if (g == most)
    h = static_cast<float>(2.0 + rc - bc);
  else
    h = static_cast<float>(4.0 + gc - rc);
  h = static_cast<float>(std::fmod(h / 6.0 + 1.0, 1.0));
  const auto level = [](double value) { return static_cast<uint8_t>(std::clamp(static_cast<int>(value), 0, 255)); };
  return {level(h * 255.0), level(s * 255.0), static_cast<uint8_t>(most)};
}

void from_hsv(const std::array<uint8_t, 3>& hsv, uint8_t* rgb) {
  const auto [h, s, v] = hsv;
  if (s == 0) {
    std::fill_n(rgb, 3, v);
    return;
  }
  const double sector = static_cast<float>(h) * 6.0 / 255.0;
  const int i = static_cast<int>(std::floor(sector));
  const float f = static_cast<float>(sector - static_cast<float>(i));
  const float fs = static_cast<float>(static_cast<float>(s) / 255.0);
  const auto level = [value = static_cast<float>(v)](double part) {
    return static_cast<uint8_t>(std::clamp(static_cast<int>(std::round(value * part)), 0, 255));
  };
  const uint8_t p = level(1.0 - fs), q = level(1.0 - fs * f), t = level(1.0 - fs * (1.0 - f));
  const std::array<std::array<uint8_t, 3>, 6> sectors{{{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}}};
  std::copy_n(sectors[static_cast<size_t>(i % 6)].data(), 3, rgb);
}

}  // namespace

void adjust_brightness(Image& image, double factor) { blend_with(image, 0, factor); }

void adjust_contrast(Image& image, double factor) {
  uint64_t sum = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) sum += static_cast<uint64_t>(luma(image.pixels.data() + i));
  const double mean = static_cast<double>(sum) / static_cast<double>(image.pixels.size() / 3);
  blend_with(image, static_cast<int>(mean + 0.5), factor);
}

void adjust_saturation(Image& image, double factor) {
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    uint8_t* rgb = image.pixels.data() + i;
    const int grey = luma(rgb);
    for (int c = 0; c < 3; ++c) rgb[c] = blend(grey, rgb[c], static_cast<float>(factor));
  }
}

void adjust_hue(Image& image, double shift) {
  const auto turn = static_cast<uint8_t>(static_cast<int32_t>(shift * 255));  // modulo 256
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    uint8_t* rgb = image.pixels.data() + i;
    std::array<uint8_t, 3> hsv = to_hsv(rgb);
    hsv[0] = static_cast<uint8_t>(hsv[0] + turn);
    from_hsv(hsv, rgb);
  }
}

void flip_horizontally(Image& image) {
  for (int64_t y = 0; y < image.height; ++y) {
    uint8_t* left = image.pixels.data() + 3 * image.width * y;
    for (uint8_t* right = left + 3 * (image.width - 1); left < right; left += 3, right -= 3) std::swap_ranges(left, left + 3, right);
  }
}

}  // namespace fovea::image
