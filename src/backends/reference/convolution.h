// The three convolutions: forward, back to the input, back to the weight.
#pragma once

#include "backends/reference/arguments.h"
#include "backends/reference/product.h"

namespace fovea::reference {

struct ConvGeometry {
  int64_t batch, groups, group_inputs, group_outputs;
  Size2 input, output, kernel, stride;
  Padding2 padding;

  bool depthwise() const { return group_inputs == 1 && group_outputs == 1; }
  int64_t taps() const { return kernel.height * kernel.width; }
};

// A pixel, by its index in N, H, W order.
struct Pixel {
  Pixel(int64_t index, Size2 size) : n(index / (size.height * size.width)), h(index / size.width % size.height), w(index % size.width) {}
  void next(Size2 size) {
    if (++w < size.width) return;
    w = 0;
    if (++h < size.height) return;
    h = 0;
    ++n;
  }
  int64_t n, h, w;
};

// The pixel of x that a tap of an output's pixel reads; false in the padding.
inline bool source_of(const ConvGeometry& g, const Pixel& y, int64_t kh, int64_t kw, int64_t& h, int64_t& w) {
  h = y.h * g.stride.height - g.padding.top + kh;
  w = y.w * g.stride.width - g.padding.left + kw;
  return h >= 0 && w >= 0 && h < g.input.height && w < g.input.width;
}

// The pixel of y whose tap reads a pixel of x; false where there is none.
inline bool target_of(const ConvGeometry& g, const Pixel& x, int64_t kh, int64_t kw, int64_t& h, int64_t& w) {
  const int64_t down = x.h + g.padding.top - kh, across = x.w + g.padding.left - kw;
  h = down / g.stride.height;
  w = across / g.stride.width;
  return down >= 0 && across >= 0 && down % g.stride.height == 0 && across % g.stride.width == 0 && h < g.output.height &&
         w < g.output.width;
}

inline size_t doubles(int64_t count) { return static_cast<size_t>(count) * sizeof(double); }

inline size_t forward_workspace_bytes(const ConvGeometry& g, int64_t slots) {
  return g.depthwise() ? 0 : doubles(product_workspace_doubles(g.taps() * g.group_inputs, slots));
}
inline size_t input_grad_workspace_bytes(const ConvGeometry& g, int64_t slots) {
  return g.depthwise() ? 0 : doubles(product_workspace_doubles(g.taps() * g.group_outputs, slots));
}

// store(pixel, channel, sum) for every pixel of `size` and channel, where sum adds w's tap times the other side's value over the taps;
// `find` is source_of or target_of.
template <class T, class Find, class Store>
void depthwise(const ConvGeometry& g, Size2 size, const View<const T>& other, const View<const T>& weight, const Find& find,
               const Store& store) {
  parallel_for(g.batch * size.height, grain_of(size.width * g.groups * g.taps()), [&](int64_t begin, int64_t end) {
    for (Pixel pixel(begin * size.width, size); pixel.n * size.height + pixel.h < end; pixel.next(size))
      for (int64_t first = 0; first < g.groups; first += channel_block) {
        const int64_t count = std::min(channel_block, g.groups - first);
        double sums[channel_block] = {};
        for (int64_t kh = 0; kh < g.kernel.height; ++kh)
          for (int64_t kw = 0; kw < g.kernel.width; ++kw) {
            int64_t h, w;
            if (!find(g, pixel, kh, kw, h, w)) continue;
            const T* values = other.pixel(pixel.n, h, w) + first;
            for (int64_t c = 0; c < count; ++c) sums[c] += double{values[c]} * weight.at(first + c, 0, kh, kw);
          }
        for (int64_t c = 0; c < count; ++c) store(pixel, first + c, sums[c]);
      }
  });
}

// Writes, tap by tap, `channels` values of the other side from `first` on; zeros where a tap finds none.
template <class T, class Find>
void gather_taps(const ConvGeometry& g, const Pixel& pixel, const View<const T>& other, int64_t first, int64_t channels, const Find& find,
                 double* out) {
  for (int64_t kh = 0; kh < g.kernel.height; ++kh)
    for (int64_t kw = 0; kw < g.kernel.width; ++kw, out += channels) {
      int64_t h, w;
      if (find(g, pixel, kh, kw, h, w)) {
        std::copy_n(other.pixel(pixel.n, h, w) + first, channels, out);
      } else {
        std::fill_n(out, channels, 0.0);
      }
    }
}

// store(pixel of y, output channel, sum).
template <class T, class Store>
void convolve(const ConvGeometry& g, const View<const T>& x, const View<const T>& w, const Arguments& a, const Store& store) {
  if (g.depthwise()) return depthwise(g, g.output, x, w, source_of, store);
  const ProductShape shape{g.batch * g.output.height * g.output.width, g.group_outputs, g.taps() * g.group_inputs};
  for (int64_t group = 0; group < g.groups; ++group) {
    const int64_t first_input = group * g.group_inputs, first_output = group * g.group_outputs;
    product(
        shape, static_cast<double*>(a.workspace), a.slots,
        [&](int64_t row, double* left) { gather_taps(g, Pixel(row, g.output), x, first_input, g.group_inputs, source_of, left); },
        [&](int64_t column, const auto& set) {
          int64_t k = 0;
          for (int64_t kh = 0; kh < g.kernel.height; ++kh)
            for (int64_t kw = 0; kw < g.kernel.width; ++kw)
              for (int64_t i = 0; i < g.group_inputs; ++i) set(k++, w.at(first_output + column, i, kh, kw));
        },
        [&](int64_t row, int64_t column, double sum) { store(Pixel(row, g.output), first_output + column, sum); });
  }
}

template <class T>
void convolve_back_to_input(const ConvGeometry& g, const View<const T>& w, const View<const T>& dy, const View<T>& dx, const Arguments& a) {
  const auto store = [&](const Pixel& p, int64_t c, double sum) { dx.at(p.n, c, p.h, p.w) = static_cast<T>(sum); };
  if (g.depthwise()) return depthwise(g, g.input, dy, w, target_of, store);
  const ProductShape shape{g.batch * g.input.height * g.input.width, g.group_inputs, g.taps() * g.group_outputs};
  for (int64_t group = 0; group < g.groups; ++group) {
    const int64_t first_input = group * g.group_inputs, first_output = group * g.group_outputs;
    product(
        shape, static_cast<double*>(a.workspace), a.slots,
        [&](int64_t row, double* left) { gather_taps(g, Pixel(row, g.input), dy, first_output, g.group_outputs, target_of, left); },
        [&](int64_t column, const auto& set) {
          int64_t k = 0;
          for (int64_t kh = 0; kh < g.kernel.height; ++kh)
            for (int64_t kw = 0; kw < g.kernel.width; ++kw)
              for (int64_t o = 0; o < g.group_outputs; ++o) set(k++, w.at(first_output + o, column, kh, kw));
        },
        [&](int64_t row, int64_t column, double sum) { store(Pixel(row, g.input), first_input + column, sum); });
  }
}

template <class T>
void depthwise_back_to_weight(const ConvGeometry& g, const View<const T>& x, const View<const T>& dy, const View<T>& dw) {
  const int64_t blocks = (g.groups + channel_block - 1) / channel_block, pixels = g.batch * g.output.height * g.output.width;
  parallel_for(g.taps() * blocks, grain_of(pixels * channel_block), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % blocks * channel_block, count = std::min(channel_block, g.groups - first);
      const int64_t kh = task / blocks / g.kernel.width, kw = task / blocks % g.kernel.width;
      double sums[channel_block] = {};
      Pixel pixel(0, g.output);
      for (int64_t i = 0; i < pixels; ++i, pixel.next(g.output)) {
        int64_t h, w;
        if (!source_of(g, pixel, kh, kw, h, w)) continue;
        const T *values = x.pixel(pixel.n, h, w) + first, *slopes = dy.pixel(pixel.n, pixel.h, pixel.w) + first;
        for (int64_t c = 0; c < count; ++c) sums[c] += double{values[c]} * slopes[c];
      }
      for (int64_t c = 0; c < count; ++c) dw.at(first + c, 0, kh, kw) = static_cast<T>(sums[c]);
    }
  });
}

// A tap's 16 x 16 weights: sums over all pixels of dy's channels (from `first_output` on) times x's (from `first_input` on).
template <class T>
void weight_grad_block(const ConvGeometry& g, const View<const T>& x, const View<const T>& dy, Size2 tap, int64_t first_output,
                       int64_t outputs, int64_t first_input, int64_t inputs, double (&sums)[4][tile_rows][tile_columns]) {
  constexpr int64_t depth = 128;
  double left[4 * tile_rows * depth], right[tile_columns * depth];
  const int64_t pixels = g.batch * g.output.height * g.output.width;
  Pixel pixel(0, g.output);
  for (int64_t first = 0; first < pixels; first += depth) {
    std::fill(std::begin(left), std::end(left), 0.0);
    std::fill(std::begin(right), std::end(right), 0.0);
    for (int64_t k = 0; k < std::min(depth, pixels - first); ++k, pixel.next(g.output)) {
      int64_t h, w;
      if (!source_of(g, pixel, tap.height, tap.width, h, w)) continue;
      const T *slopes = dy.pixel(pixel.n, pixel.h, pixel.w) + first_output, *values = x.pixel(pixel.n, h, w) + first_input;
      for (int64_t o = 0; o < outputs; ++o) left[o * depth + k] = slopes[o];
      for (int64_t i = 0; i < inputs; ++i) right_entry(right, depth, k, i) = values[i];
    }
    for (int64_t quarter = 0; quarter * tile_rows < outputs; ++quarter)
      add_product_tile(left + quarter * tile_rows * depth, depth, right, depth, sums[quarter]);
  }
}

template <class T>
void convolve_back_to_weight(const ConvGeometry& g, const View<const T>& x, const View<const T>& dy, const View<T>& dw) {
  if (g.depthwise()) return depthwise_back_to_weight(g, x, dy, dw);
  constexpr int64_t tile = 16;
  const int64_t output_tiles = (g.group_outputs + tile - 1) / tile, input_tiles = (g.group_inputs + tile - 1) / tile;
  const int64_t pixels = g.batch * g.output.height * g.output.width;
  parallel_for(g.groups * g.taps() * output_tiles * input_tiles, grain_of(pixels * tile), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first_input = task % input_tiles * tile, first_output = task / input_tiles % output_tiles * tile;
      const int64_t tap = task / (input_tiles * output_tiles) % g.taps(), group = task / (input_tiles * output_tiles * g.taps());
      const int64_t inputs = std::min(tile, g.group_inputs - first_input), outputs = std::min(tile, g.group_outputs - first_output);
      const Size2 kernel_tap{tap / g.kernel.width, tap % g.kernel.width};
      double sums[4][tile_rows][tile_columns] = {};
      weight_grad_block(g, x, dy, kernel_tap, group * g.group_outputs + first_output, outputs, group * g.group_inputs + first_input, inputs,
                        sums);
      for (int64_t o = 0; o < outputs; ++o)
        for (int64_t i = 0; i < inputs; ++i)
          dw.at(group * g.group_outputs + first_output + o, first_input + i, kernel_tap.height, kernel_tap.width) =
              static_cast<T>(sums[o / tile_rows][o % tile_rows][i]);
    }
  });
}

}  // namespace fovea::reference
