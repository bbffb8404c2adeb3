#include "backends/cpu/winograd.h"

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/winograd_weight_grad_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

using simd::kMostColumns;

// Calls body(tag, channel, its offset in the panels of tile `tile`).
template <class Body>
HWY_INLINE HWY_ATTR void for_panels(int64_t channels, const simd::TilePanels& panels, int64_t tile, const Body& body) {
  for (int64_t first = 0; first < channels; first += kMostColumns) {
    const int64_t start = first * panels.block + tile * simd::panel_columns(channels, first);
    for_each_vector(std::min(kMostColumns, channels - first),
                    [&](auto d, int64_t c) HWY_ATTR { body(d, first + c, panels.to + start + c); });
  }
}

void WinogradPixelPanels(const simd::TilePixels& p, const simd::TileGrid& grid, const simd::TilePanels& panels) {
  for (int64_t t = 0; t < panels.tiles; ++t) {
    const TilePlace place(grid, panels.first + t);
    const auto from = square<kTilePixels>(p, place.picture, place.y * kTileResults - p.top, place.x * kTileResults - p.left);
    for_panels(p.channels, panels, panels.at + t,
               [&](auto d, int64_t c, float* to) HWY_ATTR { tile_pixels(d, from, c, to, panels.plane); });
  }
}

void WinogradSlopePanels(const simd::TilePixels& p, const simd::TileGrid& grid, const simd::TilePanels& panels) {
  for (int64_t t = 0; t < panels.tiles; ++t) {
    const TilePlace place(grid, panels.first + t);
    const auto from = square<kTileResults>(p, place.picture, place.y * kTileResults, place.x * kTileResults);
    for_panels(p.channels, panels, panels.at + t, [&](auto d, int64_t c, float* to) HWY_ATTR {
      using V = hn::Vec<decltype(d)>;
      V columns[4][6], line[6];
      FOVEA_UNROLL for (size_t j = 0; j < 4; ++j) {
        const auto slope = [&](size_t i) HWY_ATTR { return hn::LoadU(d, from[i * 4 + j] + c); };
        taps_to_points(d, {slope(0), slope(1), slope(2), slope(3)}, columns[j]);
      }
      FOVEA_UNROLL for (size_t i = 0; i < 6; ++i) {
        taps_to_points(d, {columns[0][i], columns[1][i], columns[2][i], columns[3][i]}, line);
        FOVEA_UNROLL for (size_t j = 0; j < 6; ++j) hn::StoreU(line[j], d, to + static_cast<int64_t>(i * 6 + j) * panels.plane);
      }
    });
  }
}

void WinogradWeightSums(const simd::WeightSums& s, int64_t begin, int64_t end) {
  const int64_t chunks = (s.tiles + kDepthAtOnce - 1) / kDepthAtOnce;
  for (int64_t point = begin; point < end; ++point)
    for (int64_t input = 0; input < s.inputs; input += kMostColumns) {
      const int64_t columns = simd::panel_columns(s.inputs, input);
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const int64_t first = s.tiles * chunk / chunks, depth = s.tiles * (chunk + 1) / chunks - first;
        const float* const pixels = s.pixels + point * s.pixel_plane + input * s.tiles + first * columns;
        for (int64_t output = 0; output < s.outputs; output += kMostColumns) {
          const int64_t stride = simd::panel_columns(s.outputs, output);
          multiply_tiles<true>({std::min(kMostColumns, s.outputs - output), depth, columns,
                                s.slopes + point * s.slope_plane + output * s.tiles + first * stride, stride, pixels,
                                s.sums + point * s.sum_plane + input * s.outputs + output * columns, s.add || chunk > 0});
        }
      }
    }
}

void WinogradWeightGrad(const simd::WeightSums& s, int64_t begin, int64_t end, float* dw) {
  for (int64_t output = begin; output < end; ++output)
    for (int64_t input = 0; input < s.inputs; input += kMostColumns) {
      const float* const sums = s.sums + input * s.outputs + output * simd::panel_columns(s.inputs, input);
      float* const to = dw + output * 9 * s.inputs + input;
      for_each_vector(std::min(kMostColumns, s.inputs - input), [&](auto d, int64_t c) HWY_ATTR {
        using V = hn::Vec<decltype(d)>;
        V lines[3][6], line[3];
        FOVEA_UNROLL for (size_t j = 0; j < 6; ++j) {
          const auto sum = [&](size_t i) HWY_ATTR { return hn::LoadU(d, sums + static_cast<int64_t>(i * 6 + j) * s.sum_plane + c); };
          points_to_results(d, {sum(0), sum(1), sum(2), sum(3), sum(4), sum(5)}, line);
          FOVEA_UNROLL for (size_t i = 0; i < 3; ++i) lines[i][j] = line[i];
        }
        FOVEA_UNROLL for (size_t i = 0; i < 3; ++i) {
          points_to_results(d, lines[i], line);
          FOVEA_UNROLL for (size_t j = 0; j < 3; ++j) hn::StoreU(line[j], d, to + static_cast<int64_t>(i * 3 + j) * s.inputs + c);
        }
      });
    }
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(WinogradPixelPanels);
HWY_EXPORT(WinogradSlopePanels);
HWY_EXPORT(WinogradWeightSums);
HWY_EXPORT(WinogradWeightGrad);
namespace simd {
void winograd_pixel_panels(const TilePixels& pixels, const TileGrid& grid, const TilePanels& panels) {
  HWY_DYNAMIC_DISPATCH(WinogradPixelPanels)(pixels, grid, panels);
}
void winograd_slope_panels(const TilePixels& slopes, const TileGrid& grid, const TilePanels& panels) {
  HWY_DYNAMIC_DISPATCH(WinogradSlopePanels)(slopes, grid, panels);
}
void winograd_weight_sums(const WeightSums& sums, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(WinogradWeightSums)(sums, begin, end);
}
void winograd_weight_grad(const WeightSums& sums, int64_t begin, int64_t end, float* dw) {
  HWY_DYNAMIC_DISPATCH(WinogradWeightGrad)(sums, begin, end, dw);
}
}  // namespace simd
}  // namespace fovea::cpu
#endif
