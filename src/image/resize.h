// The resize of Pillow, and of torchvision for tensors of bytes, bit for bit, of any rectangle of a picture and computing any window of the
// result.
#pragma once

#include <fovea/image.h>

#include <cstdint>
#include <vector>

namespace fovea::image {

// 8-bit RGB in someone else's memory.
struct View {
  const uint8_t* pixels = nullptr;
  int64_t width = 0, height = 0, stride_bytes = 0;
};

// Of three channels: by_threes (image/channels.h) gives such of others.
inline View view(const Image& image) { return {image.pixels.data(), image.width, image.height, 3 * image.width}; }
// A rectangle inside it.
inline View part(const View& whole, int64_t left, int64_t top, int64_t width, int64_t height) {
  return {whole.pixels + top * whole.stride_bytes + 3 * left, width, height, whole.stride_bytes};
}

// Throws Error(usage) where the pixels are not channels * width * height bytes, or are none; check_rgb also for other than 3 channels.
void check_image(const Image& image);
void check_rgb(const Image& image);

struct Size {
  int64_t width = 0, height = 0;
};

struct Window {
  int64_t left = 0, top = 0, width = 0, height = 0;

  bool operator==(const Window&) const = default;
};

struct Resampling {
  Interpolation interpolation = Interpolation::bilinear;
  Resizer resizer = Resizer::pillow;
};

// The pixels `window` (inside the result) of the source resized to `size`. Writes rows of 3 * window.width bytes, out_stride_bytes apart.
void resize_window(const View& source, Size size, const Window& window, Resampling resampling, uint8_t* out, int64_t out_stride_bytes);

// The weights of one axis, for some of its outputs: out[i] = sum over t < count[i] of weight(i, t) * in[first[i] + t], in units of 2^-22.
// Each weight is kept four times, once a channel of a pixel padded to four, and zeros fill an output's taps up to `stride`, an even number.
struct Taps {
  int64_t stride = 0;
  std::vector<int64_t> first, count;
  std::vector<int32_t> weights;

  const int32_t* of(size_t output) const { return weights.data() + 4 * stride * static_cast<int64_t>(output); }
};

// The two passes, vectorized; both round to 8 bits and clip. The row pass reads up to row_slack bytes behind the last tap's pixel and
// writes one byte behind its last output. The column pass blends `rows` rows of `bytes` bytes that lie stride_bytes apart.
constexpr int64_t row_slack = 16;
void resize_row(const uint8_t* in, const Taps& taps, uint8_t* out);
void blend_rows(const uint8_t* in, int64_t stride_bytes, const int32_t* weights, int64_t rows, int64_t bytes, uint8_t* out);

}  // namespace fovea::image
