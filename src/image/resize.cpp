// After Resample.c and Geometry.c of Pillow 13 (MIT-CMU licence): the same weights in double, rounded to 22 bits, the same order of the
// passes and the same rounding between them. What torchvision does with tensors of bytes (torch's UpSampleKernel.cpp) is the same but for
// weights of 16 bits, rows before columns always, and another nearest neighbour.
#include "image/resize.h"

#include <fovea/image.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "base/error.h"
#include "image/channels.h"
#include "image/codecs.h"

namespace fovea {
namespace image {
namespace {

double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

struct Filter {
  double (*function)(double);
  double support;
};

constexpr int64_t most_weights = 4 << 20;  // of one axis, kept at a time (64 MiB)

// Weights kept an output: the filter's width, even, and no more than there are pixels.
int64_t taps_stride(int64_t in, int64_t out, Filter filter) {
  const double support = filter.support * std::max(static_cast<double>(in) / static_cast<double>(out), 1.0);
  const int64_t widest = std::min(static_cast<int64_t>(std::ceil(support)) * 2 + 1, in);
  return widest + (widest & 1);
}

constexpr int weight_bits = 22;

// In units of 2^-22, rounded to `bits` of them.
int32_t fixed_point(double weight, int bits) {
  return static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << bits)) * (1 << (weight_bits - bits));
}

// The weights of one output, [first, first + weights.size()).
struct OutputWeights {
  int64_t first = 0;
  std::span<double> weights;
};

// Where an axis of `in` pixels becomes one of `out`. When downsizing the filter grows with the scale: antialiasing.
class Axis {
 public:
  Axis(int64_t in, int64_t out, Filter filter)
      : in_(in),
        filter_(filter),
        scale_(static_cast<double>(in) / static_cast<double>(out)),
        room_(static_cast<size_t>(taps_stride(in, out, filter))) {}

  // Valid until the next call.
  OutputWeights of(int64_t output) {
    const double filter_scale = std::max(scale_, 1.0), inverse = 1.0 / filter_scale, support = filter_.support * filter_scale;
    const double center = (static_cast<double>(output) + 0.5) * scale_;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t last = std::min(in_, static_cast<int64_t>(center + support + 0.5));
    const std::span weights = std::span(room_).first(static_cast<size_t>(last - first));
    double total = 0.0;
    for (size_t t = 0; t < weights.size(); ++t) {
      weights[t] = filter_.function((static_cast<double>(static_cast<int64_t>(t) + first) - center + 0.5) * inverse);
      total += weights[t];
    }
    for (double& weight : weights) weight = total != 0.0 ? weight / total : weight;
    return {first, weights};
  }

 private:
  int64_t in_;
  Filter filter_;
  double scale_;
  std::vector<double> room_;
};

// torch keeps the weights of an axis in 16 bits, as precise as the largest of them lets it.
int bits_of(Axis& axis, int64_t out, Resizer resizer) {
  if (resizer == Resizer::pillow) return weight_bits;
  double largest = 0;
  for (int64_t i = 0; i < out; ++i)
    for (const double weight : axis.of(i).weights) largest = std::max(largest, weight);
  int bits = 0;
  while (bits < weight_bits && static_cast<int>(0.5 + largest * (1 << (bits + 1))) < (1 << 15)) ++bits;
  return bits;
}

// The taps of outputs [begin, begin + count) where `in` pixels become `out`.
Taps make_taps(int64_t in, int64_t out, int64_t begin, int64_t count, Filter filter, Resizer resizer) {
  Axis axis(in, out, filter);
  const int bits = bits_of(axis, out, resizer);
  Taps taps;
  taps.stride = taps_stride(in, out, filter);
  taps.first.resize(static_cast<size_t>(count));
  taps.count.resize(static_cast<size_t>(count));
  taps.weights.resize(static_cast<size_t>(4 * taps.stride * count));
  for (int64_t i = 0; i < count; ++i) {
    const OutputWeights output = axis.of(begin + i);
    taps.first[static_cast<size_t>(i)] = output.first;
    taps.count[static_cast<size_t>(i)] = static_cast<int64_t>(output.weights.size());
    int32_t* fixed = taps.weights.data() + 4 * taps.stride * i;
    for (const double weight : output.weights) fixed = std::fill_n(fixed, 4, fixed_point(weight, bits));
  }
  return taps;
}

// The source positions of nearest neighbour along one axis. Pillow sums the positions of the pixels' centres up, rounding included; -1
// falls outside. torch takes those of their beginnings, in float.
std::vector<int64_t> nearest_positions(int64_t in, int64_t out, int64_t begin, int64_t count, Resizer resizer) {
  if (resizer == Resizer::torchvision) {
    const float step = static_cast<float>(in) / static_cast<float>(out);
    std::vector<int64_t> positions;
    for (int64_t i = begin; i < begin + count; ++i)
      positions.push_back(std::min(static_cast<int64_t>(static_cast<float>(i) * step), in - 1));
    return positions;
  }
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  double position = scale * 0.5;
  std::vector<int64_t> positions(static_cast<size_t>(count));
  for (int64_t i = 0; i < begin + count; ++i, position += scale) {
    if (i < begin) continue;
    const auto at = static_cast<int64_t>(position);
    positions[static_cast<size_t>(i - begin)] = at < in ? at : -1;
  }
  return positions;
}

void resize_nearest(const View& source, Size size, const Window& window, Resizer resizer, uint8_t* out, int64_t out_stride) {
  const std::vector<int64_t> columns = nearest_positions(source.width, size.width, window.left, window.width, resizer);
  const std::vector<int64_t> rows = nearest_positions(source.height, size.height, window.top, window.height, resizer);
  for (int64_t y = 0; y < window.height; ++y) {
    uint8_t* pixel = out + y * out_stride;
    const int64_t row = rows[static_cast<size_t>(y)];
    for (int64_t x = 0; x < window.width; ++x, pixel += 3) {
      const int64_t column = columns[static_cast<size_t>(x)];
      if (row < 0 || column < 0)
        std::memset(pixel, 0, 3);
      else
        std::memcpy(pixel, source.pixels + row * source.stride_bytes + 3 * column, 3);
    }
  }
}

void copy_rows(const View& source, const Window& window, uint8_t* out, int64_t out_stride) {
  for (int64_t y = 0; y < window.height; ++y) {
    std::memcpy(out + y * out_stride, source.pixels + (window.top + y) * source.stride_bytes + 3 * window.left,
                static_cast<size_t>(3 * window.width));
  }
}

struct Range {
  int64_t begin = 0, count = 0;
};

// What the taps read.
Range reach(const Taps& taps) { return {taps.first.front(), taps.first.back() + taps.count.back() - taps.first.front()}; }

// Pixels between the two passes, or behind both; the row pass may write one byte behind its last.
struct Between {
  std::vector<uint8_t> pixels;
  View view;

  Between(int64_t width, int64_t height)
      : pixels(static_cast<size_t>(3 * width * height + row_slack)), view{pixels.data(), width, height, 3 * width} {}
};

// The row pass: each row of the source becomes one of as many pixels as there are taps.
Between resize_rows(const View& source, const Taps& taps) {
  Between result(static_cast<int64_t>(taps.first.size()), source.height);
  const size_t row_bytes = static_cast<size_t>(3 * source.width);
  std::vector<uint8_t> last;
  for (int64_t y = 0; y < source.height; ++y) {
    const uint8_t* in = source.pixels + y * source.stride_bytes;
    if ((source.height - 1 - y) * source.stride_bytes < row_slack) {  // reading on behind this row might leave the picture
      last.assign(row_bytes + row_slack, 0);
      std::memcpy(last.data(), in, row_bytes);
      in = last.data();
    }
    resize_row(in, taps, result.pixels.data() + y * result.view.stride_bytes);
  }
  return result;
}

// The column pass: as many rows as there are taps.
void resize_columns(const View& source, const Taps& taps, uint8_t* out, int64_t out_stride) {
  for (size_t y = 0; y < taps.first.size(); ++y) {
    blend_rows(source.pixels + taps.first[y] * source.stride_bytes, source.stride_bytes, taps.of(y), taps.count[y], 3 * source.width,
               out + static_cast<int64_t>(y) * out_stride);
  }
}

// Pillow takes the columns first where the height shrinks by more than twice what the width shrinks by, in pixels.
bool columns_first(const View& source, Size size) {
  const int64_t less_height = source.height - size.height, less_width = source.width - size.width;
  return less_height > 0 && less_height > 2 * less_width;
}

}  // namespace

void check_image(const Image& image) {
  const int64_t bytes = image.channels * image.width * image.height;
  if (image.width > 0 && image.height > 0 && image.channels > 0 && static_cast<int64_t>(image.pixels.size()) == bytes) return;
  if (image.width == 0 && image.height == 0 && image.pixels.empty()) fail(ErrorKind::usage, "an empty image: no picture was read into it");
  if (image.width <= 0 || image.height <= 0)
    fail(ErrorKind::usage, "an image of {} x {} pixels, at least 1 x 1 expected", image.width, image.height);
  if (image.channels <= 0) fail(ErrorKind::usage, "an image of {} channels, at least 1 expected", image.channels);
  fail(ErrorKind::usage, "an image of {} x {} pixels holds {} bytes, not {}", image.width, image.height, image.pixels.size(), bytes);
}

void check_rgb(const Image& image) {
  check_image(image);
  if (image.channels != 3) fail(ErrorKind::usage, "an image of {} channels, 3 (RGB) expected", image.channels);
}

void resize_window(const View& source, Size size, const Window& window, Resampling resampling, uint8_t* out, int64_t out_stride) {
  if (window.width <= 0 || window.height <= 0) return;
  // An axis that keeps its size is left alone; Pillow's weights would be 1 and 0 there.
  const bool across = size.width != source.width, down = size.height != source.height;
  if (!across && !down) return copy_rows(source, window, out, out_stride);
  const auto [interpolation, resizer] = resampling;
  if (interpolation == Interpolation::nearest) return resize_nearest(source, size, window, resizer, out, out_stride);
  const Filter filter = interpolation == Interpolation::bilinear ? Filter{bilinear, 1.0} : Filter{bicubic, 2.0};
  // Shrinking a very long side takes very many weights an output: a part of the window at a time then.
  if (across && window.width > 1 && taps_stride(source.width, size.width, filter) * window.width > most_weights) {
    const int64_t left = window.width / 2;
    resize_window(source, size, {window.left, window.top, left, window.height}, resampling, out, out_stride);
    return resize_window(source, size, {window.left + left, window.top, window.width - left, window.height}, resampling, out + 3 * left,
                         out_stride);
  }
  if (down && window.height > 1 && taps_stride(source.height, size.height, filter) * window.height > most_weights) {
    const int64_t upper = window.height / 2;
    resize_window(source, size, {window.left, window.top, window.width, upper}, resampling, out, out_stride);
    return resize_window(source, size, {window.left, window.top + upper, window.width, window.height - upper}, resampling,
                         out + upper * out_stride, out_stride);
  }
  Taps horizontal, vertical;
  Range columns{window.left, window.width}, rows{window.top, window.height};  // what is needed of the source
  if (across) {
    horizontal = make_taps(source.width, size.width, window.left, window.width, filter, resizer);
    columns = reach(horizontal);
    for (int64_t& first : horizontal.first) first -= columns.begin;
  }
  if (down) {
    vertical = make_taps(source.height, size.height, window.top, window.height, filter, resizer);
    rows = reach(vertical);
    for (int64_t& first : vertical.first) first -= rows.begin;
  }
  const View needed = part(source, columns.begin, rows.begin, columns.count, rows.count);
  const Window all{0, 0, window.width, window.height};
  if (!across) return resize_columns(needed, vertical, out, out_stride);
  if (!down) return copy_rows(resize_rows(needed, horizontal).view, all, out, out_stride);
  if (resizer == Resizer::torchvision || !columns_first(source, size))
    return resize_columns(resize_rows(needed, horizontal).view, vertical, out, out_stride);
  Between between(columns.count, window.height);
  resize_columns(needed, vertical, between.pixels.data(), between.view.stride_bytes);
  copy_rows(resize_rows(between.view, horizontal).view, all, out, out_stride);
}

}  // namespace image

Image resize(const Image& image, int64_t width, int64_t height, Interpolation interpolation) {
  if (width <= 0 || height <= 0) fail(ErrorKind::usage, "resizing to {} x {} pixels", width, height);
  image::check_image(image);
  image::check_size(width, height);
  return image::by_threes(image, [&](const Image& rgb, int64_t) {
    Image result{width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height))};
    image::resize_window(image::view(rgb), {width, height}, {0, 0, width, height}, {interpolation}, result.pixels.data(), 3 * width);
    return result;
  });
}

}  // namespace fovea
