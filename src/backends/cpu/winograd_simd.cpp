#include "backends/cpu/winograd.h"

#include <array>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/winograd_simd.cpp"
#define HWY_DISABLED_TARGETS HWY_SSSE3  // too like SSE4 to pay for its compile time
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/activation-inl.h"
#include "backends/cpu/loops-inl.h"

#ifndef FOVEA_UNROLL
#ifdef __clang__
#define FOVEA_UNROLL _Pragma("unroll")
#else
#define FOVEA_UNROLL _Pragma("GCC unroll 8")
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

using simd::kPanelUnit, simd::kTilePixels, simd::kTilePoints, simd::kTileResults;

// The points of the interpolation: 0, +-kA, +-kB and infinity. With the usual 0, +-1, +-2 the error is about three times as large; these
// are the best of all pairs of sixteenths, measured on convolutions of normal and of positive numbers, 64 to 512 channels.
constexpr double kA = 11.0 / 16, kB = 3.0 / 2;
constexpr double kA2 = kA * kA, kB2 = kB * kB;

// B': six numbers in place.
template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void pixels_to_points(D d, V& d0, V& d1, V& d2, V& d3, V& d4, V& d5) {
  const V a = hn::Set(d, static_cast<float>(kA)), b = hn::Set(d, static_cast<float>(kB));
  const V a2 = hn::Set(d, static_cast<float>(kA2)), b2 = hn::Set(d, static_cast<float>(kB2));
  const V sum = hn::Set(d, static_cast<float>(kA2 + kB2)), product = hn::Set(d, static_cast<float>(kA2 * kB2));
  const V even_a = hn::NegMulAdd(b2, d2, d4), odd_a = hn::NegMulAdd(b2, d1, d3);
  const V even_b = hn::NegMulAdd(a2, d2, d4), odd_b = hn::NegMulAdd(a2, d1, d3);
  d0 = hn::MulAdd(product, d0, hn::NegMulAdd(sum, d2, d4));
  d5 = hn::MulAdd(product, d1, hn::NegMulAdd(sum, d3, d5));
  d1 = hn::MulAdd(a, odd_a, even_a);
  d2 = hn::NegMulAdd(a, odd_a, even_a);
  d3 = hn::MulAdd(b, odd_b, even_b);
  d4 = hn::NegMulAdd(b, odd_b, even_b);
}

// A': six numbers, the four results in place of the first.
template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void points_to_results(D d, V& m0, V& m1, V& m2, V& m3, V m4, V m5) {
  const V even_a = hn::Add(m1, m2), odd_a = hn::Sub(m1, m2), even_b = hn::Add(m3, m4), odd_b = hn::Sub(m3, m4);
  m0 = hn::Add(m0, hn::Add(even_a, even_b));
  m1 = hn::MulAdd(hn::Set(d, static_cast<float>(kA)), odd_a, hn::Mul(hn::Set(d, static_cast<float>(kB)), odd_b));
  m2 = hn::MulAdd(hn::Set(d, static_cast<float>(kA2)), even_a, hn::Mul(hn::Set(d, static_cast<float>(kB2)), even_b));
  m3 = hn::MulAdd(hn::Set(d, static_cast<float>(kA2 * kA)), odd_a, hn::MulAdd(hn::Set(d, static_cast<float>(kB2 * kB)), odd_b, m5));
}

// G: three numbers in, six out.
template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void taps_to_points(D d, V g0, V g1, V g2, V (&u)[6]) {
  constexpr double norm_a = 1 / (2 * kA2 * (kA2 - kB2)), norm_b = 1 / (2 * kB2 * (kB2 - kA2));
  const V even_a = hn::Mul(hn::Set(d, norm_a), hn::MulAdd(hn::Set(d, kA2), g2, g0)), odd_a = hn::Mul(hn::Set(d, norm_a * kA), g1);
  const V even_b = hn::Mul(hn::Set(d, norm_b), hn::MulAdd(hn::Set(d, kB2), g2, g0)), odd_b = hn::Mul(hn::Set(d, norm_b * kB), g1);
  u[0] = hn::Mul(hn::Set(d, 1 / (kA2 * kB2)), g0);
  u[1] = hn::Add(even_a, odd_a);
  u[2] = hn::Sub(even_a, odd_a);
  u[3] = hn::Add(even_b, odd_b);
  u[4] = hn::Sub(even_b, odd_b);
  u[5] = g2;
}

struct TilePlace {
  int64_t picture, y, x;
  TilePlace(const simd::TileGrid& grid, int64_t tile)
      : picture(tile / grid.each()), y(tile % grid.each() / grid.across), x(tile % grid.across) {}
};

void WinogradPixels(const simd::TilePixels& p, const simd::TileGrid& grid, int64_t first, int64_t tiles, float* v, int64_t row,
                    int64_t plane) {
  std::array<const float*, kTilePoints> from;
  for (int64_t t = 0; t < tiles; ++t, v += row) {
    const TilePlace place(grid, first + t);
    for (int64_t i = 0; i < kTilePixels; ++i)
      for (int64_t j = 0; j < kTilePixels; ++j) {
        const int64_t y = place.y * kTileResults - p.top + i, x = place.x * kTileResults - p.left + j;
        const bool inside = y >= 0 && y < p.height && x >= 0 && x < p.width;
        from[static_cast<size_t>(i * kTilePixels + j)] = inside ? p.x + ((place.picture * p.height + y) * p.width + x) * p.stride : p.zeros;
      }
    for_each_vector(p.channels, [&](auto d, int64_t c) HWY_ATTR {
      using V = hn::Vec<decltype(d)>;
      V rows[6][6];
      FOVEA_UNROLL for (size_t j = 0; j < 6; ++j) {
        V d0 = hn::LoadU(d, from[j] + c), d1 = hn::LoadU(d, from[6 + j] + c), d2 = hn::LoadU(d, from[12 + j] + c);
        V d3 = hn::LoadU(d, from[18 + j] + c), d4 = hn::LoadU(d, from[24 + j] + c), d5 = hn::LoadU(d, from[30 + j] + c);
        pixels_to_points(d, d0, d1, d2, d3, d4, d5);
        rows[0][j] = d0, rows[1][j] = d1, rows[2][j] = d2, rows[3][j] = d3, rows[4][j] = d4, rows[5][j] = d5;
      }
      FOVEA_UNROLL for (size_t i = 0; i < 6; ++i) {
        V(&r)[6] = rows[i];
        pixels_to_points(d, r[0], r[1], r[2], r[3], r[4], r[5]);
        FOVEA_UNROLL for (size_t j = 0; j < 6; ++j) hn::StoreU(r[j], d, v + static_cast<int64_t>(i * 6 + j) * plane + c);
      }
    });
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
        FOVEA_UNROLL for (size_t j = 0; j < 3; ++j) taps_to_points(d, tap(j), tap(3 + j), tap(6 + j), columns[j]);
        FOVEA_UNROLL for (size_t i = 0; i < 6; ++i) {
          taps_to_points(d, columns[0][i], columns[1][i], columns[2][i], points);
          FOVEA_UNROLL for (size_t j = 0; j < 6; ++j) hn::StoreU(
              hn::DemoteTo(narrow, points[j]), narrow, u + static_cast<int64_t>(i * 6 + j) * panel.plane() + c * panel.columns + first + o);
        }
      }
    }
}

using UnitTag = hn::CappedTag<float, kPanelUnit>;
constexpr int64_t kLanes = hn::MaxLanes(UnitTag());
constexpr int64_t kUnitVectors = kPanelUnit / kLanes;
// As many as leave registers for a row of the right side and one number of the left one.
constexpr int64_t kMostUnits = HWY_TARGET <= HWY_AVX3 ? 4 : 1;
constexpr int64_t kMostRows = HWY_TARGET <= HWY_AVX3 ? 7 : HWY_TARGET == HWY_SSE4 ? 3 : 6;

template <int64_t kRows, int64_t kVectors>
HWY_NOINLINE HWY_ATTR void product_tile(const simd::TileProduct& p, const float* a, const float* b, float* c, int64_t depth, bool add) {
  const UnitTag d;
  using V = hn::Vec<UnitTag>;
  V sums[kRows][kVectors];
  FOVEA_UNROLL for (int64_t r = 0; r < kRows; ++r) { FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) sums[r][v] = hn::Zero(d); }
  const int64_t row = p.v_row, columns = p.columns;
  for (int64_t k = 0; k < depth; ++k, b += columns) {
    V right[kVectors];
    FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, b + v * kLanes);
    FOVEA_UNROLL for (int64_t r = 0; r < kRows; ++r) {
      const V left = hn::Set(d, a[r * row + k]);
      FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(left, right[v], sums[r][v]);
    }
  }
  FOVEA_UNROLL for (int64_t r = 0; r < kRows; ++r) {
    FOVEA_UNROLL for (int64_t v = 0; v < kVectors; ++v) {
      float* const to = c + r * columns + v * kLanes;
      hn::StoreU(add ? hn::Add(sums[r][v], hn::LoadU(d, to)) : sums[r][v], d, to);
    }
  }
}

using TileFunction = void (*)(const simd::TileProduct&, const float*, const float*, float*, int64_t, bool);

template <int64_t kVectors, size_t... kIndex>
constexpr std::array<TileFunction, sizeof...(kIndex)> tiles_of(std::index_sequence<kIndex...>) {
  return {product_tile<static_cast<int64_t>(kIndex) + 1, kVectors>...};
}

// By units and by rows less one.
template <size_t... kUnits>
constexpr std::array<std::array<TileFunction, kMostRows>, kMostUnits> all_tiles(std::index_sequence<kUnits...>) {
  return {tiles_of<(static_cast<int64_t>(kUnits) + 1) * kUnitVectors>(std::make_index_sequence<kMostRows>())...};
}
constexpr auto kProductTiles = all_tiles(std::make_index_sequence<kMostUnits>());

// Depth at once: so many rows of the right side stay in the first-level cache for all rows of the left one, and sums of sums are more exact
// than one long sum.
constexpr int64_t kDepthAtOnce = 128;

void WinogradProduct(const simd::TileProduct& p) {
  const int64_t blocks = (p.tiles + kMostRows - 1) / kMostRows;
  for (int64_t point = 0; point < kTilePoints; ++point) {
    float* const m = p.m + point * p.m_plane;
    for (int64_t column = 0; column < p.columns; column += kMostUnits * kPanelUnit) {
      const int64_t units = std::min(kMostUnits, (p.columns - column) / kPanelUnit);
      for (int64_t k = 0; k < p.depth; k += kDepthAtOnce) {
        const float *const v = p.v + point * p.v_plane + k, *const u = p.u + point * p.u_plane + k * p.columns + column;
        const int64_t depth = std::min(kDepthAtOnce, p.depth - k);
        for (int64_t block = 0; block < blocks; ++block) {
          const int64_t row = p.tiles * block / blocks, rows = p.tiles * (block + 1) / blocks - row;
          kProductTiles[static_cast<size_t>(units - 1)][static_cast<size_t>(rows - 1)](p, v + row * p.v_row, u,
                                                                                       m + row * p.columns + column, depth, k > 0);
        }
      }
    }
  }
}

template <ActivationKind K>
struct ResultsLoop {
  static void run(const simd::TileResults& r, const simd::TileGrid& grid, const simd::TileSums& s) {
    for (int64_t t = 0; t < s.tiles; ++t) {
      const TilePlace place(grid, s.first_tile + t);
      const int64_t top = place.y * kTileResults, left = place.x * kTileResults;
      const auto lines = static_cast<size_t>(std::min(kTileResults, r.height - top));
      const auto columns = static_cast<size_t>(std::min(kTileResults, r.width - left));
      const int64_t pixel = (place.picture * r.height + top) * r.width + left;
      for_each_vector(s.outputs, [&](auto d, int64_t c) HWY_ATTR {
        using V = hn::Vec<decltype(d)>;
        const float* const m = s.m + t * s.columns + c;
        V y[4][6];
        FOVEA_UNROLL for (size_t j = 0; j < 6; ++j) {
          const auto sum = [&](size_t i) HWY_ATTR { return hn::LoadU(d, m + static_cast<int64_t>(i * 6 + j) * s.plane); };
          V m0 = sum(0), m1 = sum(1), m2 = sum(2), m3 = sum(3);
          points_to_results(d, m0, m1, m2, m3, sum(4), sum(5));
          y[0][j] = m0, y[1][j] = m1, y[2][j] = m2, y[3][j] = m3;
        }
        const V bias = r.bias ? hn::LoadU(d, r.bias + s.first + c) : hn::Zero(d);
        for (size_t i = 0; i < lines; ++i) {
          V(&line)[6] = y[i];
          points_to_results(d, line[0], line[1], line[2], line[3], line[4], line[5]);
          const int64_t at = pixel + static_cast<int64_t>(i) * r.width;
          for (size_t j = 0; j < columns; ++j) {
            V result = hn::Add(line[j], bias);
            if (r.residual)
              result = hn::Add(result, hn::LoadU(d, r.residual + (at + static_cast<int64_t>(j)) * r.residual_stride + s.first + c));
            hn::StoreU(activate_vector<K>(d, result), d, r.y + (at + static_cast<int64_t>(j)) * r.stride + s.first + c);
          }
        }
      });
    }
  }
};

void WinogradResults(const simd::TileResults& results, const simd::TileGrid& grid, const simd::TileSums& sums) {
  by_activation<ResultsLoop>(results.activation, results, grid, sums);
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
