#include "image/color.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/error.h"

namespace fovea::image {
namespace {

// Pillow's Image.blend: float arithmetic, cut off, not rounded.
uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  return static_cast<uint8_t>(static_cast<int>(std::min(std::max(value, 0.0f), 255.0f)));
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

namespace {

// Pillow's SMOOTH, (sum of nine + 4 * centre) / 13 rounded. Its float sum is never at a half, so integers give the same.
void smooth_row(const uint8_t* above, const uint8_t* row, const uint8_t* below, size_t bytes, uint8_t* out) {
  std::copy_n(row, 3, out);
  for (size_t i = 3; i + 3 < bytes; ++i) {
    const auto three = [i](const uint8_t* r) { return static_cast<uint32_t>(r[i - 3]) + r[i] + r[i + 3]; };
    const uint32_t sum = three(above) + three(row) + three(below) + 4u * row[i];
    out[i] = static_cast<uint8_t>((2 * sum + 13) / 26);
  }
  std::copy_n(row + bytes - 3, 3, out + bytes - 3);
}

using Tables = std::array<std::array<uint8_t, 256>, 3>;
using Histograms = std::array<std::array<int64_t, 256>, 3>;

template <class Level>
void map_levels(Image& image, Level level) {
  std::array<uint8_t, 256> table;
  for (int v = 0; v < 256; ++v) table[static_cast<size_t>(v)] = static_cast<uint8_t>(level(v));
  for (uint8_t& v : image.pixels) v = table[v];
}

// Each channel by a table made from its histogram.
template <class Fill>
void map_channels(Image& image, Fill fill) {
  Histograms histograms{};
  for (size_t i = 0; i < image.pixels.size(); i += 3)
    for (size_t c = 0; c < 3; ++c) ++histograms[c][image.pixels[i + c]];
  Tables tables;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t v = 0; v < 256; ++v) tables[c][v] = static_cast<uint8_t>(v);
    fill(histograms[c], tables[c]);
  }
  for (size_t i = 0; i < image.pixels.size(); i += 3)
    for (size_t c = 0; c < 3; ++c) image.pixels[i + c] = tables[c][image.pixels[i + c]];
}

}  // namespace

void adjust_sharpness(Image& image, double factor) {
  if (image.width < 3 || image.height < 3) return;  // there is nothing but border
  const size_t bytes = static_cast<size_t>(3 * image.width);
  std::vector<uint8_t> above(image.pixels.begin(), image.pixels.begin() + static_cast<std::ptrdiff_t>(bytes)), row(bytes), smooth(bytes);
  for (int64_t y = 1; y + 1 < image.height; ++y) {
    uint8_t* pixels = image.pixels.data() + static_cast<size_t>(y) * bytes;
    std::copy_n(pixels, bytes, row.data());
    smooth_row(above.data(), row.data(), pixels + bytes, bytes, smooth.data());
    for (size_t i = 0; i < bytes; ++i) pixels[i] = blend(smooth[i], row[i], static_cast<float>(factor));
    std::swap(above, row);
  }
}

void posterize(Image& image, int bits) {
  if (bits < 0 || bits > 8) fail(ErrorKind::usage, "posterize to {} bits, 0 to 8 expected", bits);
  const int mask = 0xFF & ~((1 << (8 - bits)) - 1);
  for (uint8_t& v : image.pixels) v = static_cast<uint8_t>(v & mask);
}

void solarize(Image& image, double threshold) {
  map_levels(image, [&](int v) { return v < threshold ? v : 255 - v; });
}

void invert(Image& image) {
  for (uint8_t& v : image.pixels) v = static_cast<uint8_t>(255 - v);
}

void autocontrast(Image& image) {
  map_channels(image, [](const auto& histogram, auto& table) {
    int low = 0, high = 255;
    while (low < 255 && histogram[static_cast<size_t>(low)] == 0) ++low;
    while (high > 0 && histogram[static_cast<size_t>(high)] == 0) --high;
    if (high <= low) return;
    const double scale = 255.0 / (high - low), offset = -low * scale;
    for (int v = 0; v < 256; ++v)
      table[static_cast<size_t>(v)] = static_cast<uint8_t>(std::clamp(static_cast<int>(v * scale + offset), 0, 255));
  });
}

void equalize(Image& image) {
  map_channels(image, [](const auto& histogram, auto& table) {
    int64_t sum = 0, last = 0, levels = 0;
    for (int64_t count : histogram) {
      sum += count;
      if (count == 0) continue;
      last = count;
      ++levels;
    }
    const int64_t step = (sum - last) / 255;
    if (levels <= 1 || step == 0) return;
    int64_t n = step / 2;
    for (size_t v = 0; v < 256; ++v) {
      table[v] = static_cast<uint8_t>(std::min<int64_t>(n / step, 255));
      n += histogram[v];
    }
  });
}

}  // namespace fovea::image
