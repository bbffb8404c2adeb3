// Winograd's convolution F(4x4, 3x3), in pieces: 16 results of a 3x3 kernel from 36 products instead of 144 (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", arXiv:1509.09308). Single-threaded; threads and partitions are the caller's.
//
//   V = B' d B of each tile d of 6x6 pixels, U = G g G' of each kernel g, M = V U in each of the 36 points, y = A' M A
#pragma once

#include <algorithm>
#include <cstdint>

#include "backends/cpu/panels.h"
#include "ops/activation_kind.h"

namespace fovea::cpu::simd {

constexpr int64_t kTileResults = 4, kTilePixels = 6, kTilePoints = 36;
// Weights lie as [panel][point][input channel][its columns].
// Between the planes of the 36 points, so that these do not share a set of the first-level cache.
constexpr int64_t kPlaneGap = 16;

// The tiles of pictures, counted along the lines: tile t of all.
struct TileGrid {
  int64_t down, across;  // of a picture
  int64_t each() const { return down * across; }
};
constexpr TileGrid grid_of(int64_t height, int64_t width) {
  return {(height + kTileResults - 1) / kTileResults, (width + kTileResults - 1) / kTileResults};
}

struct TilePixels {
  const float* x;
  const float* zeros;                       // for pixels outside of the picture: `channels` of them
  int64_t height, width, channels, stride;  // stride: between pixels
  int64_t top, left;                        // the first tile starts so many lines and columns before the picture
};
// v: [point][tile - first][channel], rows `row` and planes `plane` floats apart.
void winograd_pixels(const TilePixels& pixels, const TileGrid& grid, int64_t first, int64_t tiles, float* v, int64_t row, int64_t plane);

struct KernelWeights {
  const float* w;  // of the first tap of output 0 and input 0
  int64_t output_step, input_step, tap_step;
};
struct WeightPanel {
  int64_t first, columns, outputs;  // results [first, first + outputs); columns beyond are 0
  int64_t depth;                    // input channels
  int64_t plane() const { return depth * columns + kPlaneGap; }
};
// In double, for input channels [begin, end); u is the panel's.
void winograd_weights(const KernelWeights& weights, const WeightPanel& panel, int64_t begin, int64_t end, float* u);

struct TileProduct {
  int64_t tiles, depth, columns;
  const float* v;
  int64_t v_row, v_plane;
  const float* u;
  int64_t u_plane;
  float* m;  // [point][tile][columns]
  int64_t m_plane;
};
void winograd_product(const TileProduct& product);

struct TileResults {
  float* y;
  int64_t height, width, stride;
  const float *bias = nullptr, *residual = nullptr;
  int64_t residual_stride = 0;
  ActivationKind activation = ActivationKind::identity;
};
// Channels [first, first + outputs) of the results of some tiles; m: [point][tile - first_tile][columns].
struct TileSums {
  const float* m;
  int64_t columns, plane;
  int64_t first_tile, tiles, first, outputs;
};
void winograd_results(const TileResults& results, const TileGrid& grid, const TileSums& sums);

// The weight gradient: 9 results from 36 products of 6x6 pixels with 4x4 slopes, summed over the tiles before the last transform.

// Channels of the two sides lie in panels of kMostColumns, the last one's columns filled up to a multiple of kPanelUnit.
constexpr int64_t panel_columns(int64_t channels, int64_t first) { return std::min(kMostColumns, padded_columns(channels - first)); }

// Tiles [first, first + tiles) of a block of `block`, of which the first is its tile `at`, into [point][panel][tile][columns].
struct TilePanels {
  int64_t first, tiles, at, block;
  float* to;
  int64_t plane;
};
void winograd_pixel_panels(const TilePixels& pixels, const TileGrid& grid, const TilePanels& panels);
void winograd_slope_panels(const TilePixels& slopes, const TileGrid& grid, const TilePanels& panels);

// sums [point][panel of inputs][output][columns], for points [begin, end)
struct WeightSums {
  int64_t tiles, inputs, outputs;
  const float *pixels, *slopes;
  int64_t pixel_plane, slope_plane;
  float* sums;
  int64_t sum_plane;
  bool add;
};
void winograd_weight_sums(const WeightSums& sums, int64_t begin, int64_t end);
// dw [output][tap][input] of outputs [begin, end)
void winograd_weight_grad(const WeightSums& sums, int64_t begin, int64_t end, float* dw);

}  // namespace fovea::cpu::simd
