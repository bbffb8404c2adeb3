#include "backends/cpu/winograd.h"

#include "backends/cpu/simd.h"
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/winograd_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/loops-inl.h"
#include "backends/cpu/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

void WinogradPixels(const simd::TilePixels& p, const simd::TileGrid& grid, int64_t first, int64_t tiles, float* v, int64_t row,
                    int64_t plane) {
  for (int64_t t = 0; t < tiles; ++t) {
    const TilePlace place(grid, first + t);
    const auto from = square<kTilePixels>(p, place.picture, place.y * kTileResults - p.top, place.x * kTileResults - p.left);
    for_each_vector(p.channels, [&](auto d, int64_t c) HWY_ATTR { tile_pixels(d, from, c, v + t * row + c, plane); });
  }
}

void WinogradWeights(const simd::KernelWeights& weights, const simd::WeightPanel& panel, int64_t begin, int64_t end, float* u) {
#if HWY_TARGET == HWY_SCALAR
  const hn::CappedTag<double, 1> d;
#else
  const hn::CappedTag<double, 8> d;
#endif
  using V = hn::Vec<decltype(d)>;
  const hn::Rebind<float, decltype(d)> narrow;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float taps[9][kPanelUnit] = {};
  for (int64_t c = begin; c < end; ++c)
    for (int64_t first = 0; first < panel.columns; first += kPanelUnit) {
      const int64_t count = std::clamp<int64_t>(panel.outputs - first, 0, kPanelUnit);
      const float* const w = weights.w + (panel.first + first) * weights.output_step + c * weights.input_step;
      for (int64_t tap = 0; tap < 9; ++tap)
        for (int64_t o = 0; o < kPanelUnit; ++o) taps[tap][o] = o < count ? w[o * weights.output_step + tap * weights.tap_step] : 0.0f;
      for (int64_t o = 0; o < kPanelUnit; o += lanes) {
        V columns[3][6], points[6];
        const auto tap = [&](size_t i) HWY_ATTR { return hn::PromoteTo(d, hn::Load(narrow, taps[i] + o)); };
        FOVEA_UNROLL for (size_t j = 0; j < 3; ++j) taps_to_points(d, {tap(j), tap(3 + j), tap(6 + j)}, columns[j]);
        FOVEA_UNROLL for (size_t i = 0; i < 6; ++i) {
          taps_to_points(d, {columns[0][i], columns[1][i], columns[2][i]}, points);
          FOVEA_UNROLL for (size_t j = 0; j < 6; ++j) hn::StoreU(
              hn::DemoteTo(narrow, points[j]), narrow, u + static_cast<int64_t>(i * 6 + j) * panel.plane() + c * panel.columns + first + o);
        }
      }
    }
}

void WinogradProduct(const simd::TileProduct& p) {
  for (int64_t point = 0; point < kTilePoints; ++point)
    for (int64_t k = 0; k < p.depth; k += kDepthAtOnce)
      multiply_tiles<false>({p.tiles, std::min(kDepthAtOnce, p.depth - k), p.columns, p.v + point * p.v_plane + k, p.v_row,
                             p.u + point * p.u_plane + k * p.columns, p.m + point * p.m_plane, k > 0});
}

// A tile's sums and the bias, channels [0, outputs): [line][column][kMostColumns].
HWY_INLINE HWY_ATTR void tile_results(const float* m, int64_t plane, const float* bias, int64_t outputs, float* y) {
  for_each_vector(outputs, [=](auto d, int64_t c) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V lines[4][6], line[4];
    FOVEA_UNROLL for (size_t j = 0; j < 6; ++j) {
      const auto sum = [&](size_t i) HWY_ATTR { return hn::LoadU(d, m + static_cast<int64_t>(i * 6 + j) * plane + c); };
      points_to_results(d, {sum(0), sum(1), sum(2), sum(3), sum(4), sum(5)}, line);
      FOVEA_UNROLL for (size_t i = 0; i < 4; ++i) lines[i][j] = line[i];
    }
    const V start = bias ? hn::LoadU(d, bias + c) : hn::Zero(d);
    FOVEA_UNROLL for (size_t i = 0; i < 4; ++i) {
      points_to_results(d, lines[i], line);
      FOVEA_UNROLL for (size_t j = 0; j < 4; ++j)
          hn::StoreU(hn::Add(line[j], start), d, y + static_cast<int64_t>(i * 4 + j) * simd::kMostColumns + c);
    }
  });
}

void WinogradResults(const simd::TileResults& r, const simd::TileGrid& grid, const simd::TileSums& s) {
  HWY_ALIGN float results[kTileResults * kTileResults * simd::kMostColumns];
  for (int64_t t = 0; t < s.tiles; ++t) {
    const TilePlace place(grid, s.first_tile + t);
    const int64_t top = place.y * kTileResults, left = place.x * kTileResults;
    tile_results(s.m + t * s.columns, s.plane, r.bias ? r.bias + s.first : nullptr, s.outputs, results);
    simd::Finish finish;
    finish.activation = r.activation;
    finish.rows = std::min(kTileResults, r.width - left), finish.columns = s.outputs;
    finish.sums_stride = simd::kMostColumns, finish.residual_stride = r.residual_stride, finish.y_stride = r.stride;
    for (int64_t i = 0; i < std::min(kTileResults, r.height - top); ++i) {
      const int64_t pixel = (place.picture * r.height + top + i) * r.width + left;
      finish.sums = results + i * kTileResults * simd::kMostColumns;
      if (r.residual) finish.residual = r.residual + pixel * r.residual_stride + s.first;
      finish.y = r.y + pixel * r.stride + s.first;
      simd::finish(finish);
    }
  }
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(WinogradPixels);
HWY_EXPORT(WinogradWeights);
HWY_EXPORT(WinogradProduct);
HWY_EXPORT(WinogradResults);
namespace simd {
void winograd_pixels(const TilePixels& pixels, const TileGrid& grid, int64_t first, int64_t tiles, float* v, int64_t row, int64_t plane) {
  HWY_DYNAMIC_DISPATCH(WinogradPixels)(pixels, grid, first, tiles, v, row, plane);
}
void winograd_weights(const KernelWeights& weights, const WeightPanel& panel, int64_t begin, int64_t end, float* u) {
  HWY_DYNAMIC_DISPATCH(WinogradWeights)(weights, panel, begin, end, u);
}
void winograd_product(const TileProduct& product) { HWY_DYNAMIC_DISPATCH(WinogradProduct)(product); }
void winograd_results(const TileResults& results, const TileGrid& grid, const TileSums& sums) {
  HWY_DYNAMIC_DISPATCH(WinogradResults)(results, grid, sums);
}
}  // namespace simd
}  // namespace fovea::cpu
#endif
