#include "backends/cpu/depthwise.h"

#include <algorithm>

#include "backends/cpu/simd.h"
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/depthwise_simd.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/activation-inl.h"
#include "backends/cpu/storage-inl.h"
#include "backends/cpu/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

using simd::DepthwiseLine, simd::DepthwisePass, simd::kDepthwiseUnit;

// Results along a line whose sums stay in registers. Maps of pictures of 224 x 224 are 7 times a power of two wide.
constexpr int64_t kTile = 7;
constexpr int64_t kMostTaps = 7;  // of a kernel row
// Vectors of channels at once: sums, the taps of a kernel row and the input must fit in 32 registers.
constexpr int64_t kMostVectors = HWY_TARGET <= HWY_AVX3 ? 2 : 1;

// Whether tiles are computed by code of their own for each kernel: of whole vectors and of eight channels, in bfloat16 with AVX-512 alone.
template <class D, class T>
constexpr bool kHasTiles = HWY_TARGET != HWY_SCALAR &&
                           (hn::MaxLanes(D()) == hn::MaxLanes(hn::ScalableTag<float>()) || hn::MaxLanes(D()) == 8) &&
                           (sizeof(T) == sizeof(float) || HWY_TARGET <= HWY_AVX3);

// Some results of a tile.
template <class T>
struct TileResults {
  T* y;
  const T* residual;
  int64_t y_step, residual_step, count;

  TileResults(const DepthwisePass& p, const DepthwiseLine<T>& line, int64_t c, int64_t ox, int64_t count)
      : y(line.y + ox * p.y_step + c),
        residual(line.residual ? line.residual + ox * p.residual_step + c : nullptr),
        y_step(p.y_step),
        residual_step(p.residual_step),
        count(count) {}
};

template <ActivationKind K>
struct FinishTile {
  template <class D, class T>
  static HWY_NOINLINE HWY_ATTR void run(D d, const TileResults<T>& results, const float* sums, int64_t lanes) {
    for (int64_t t = 0; t < results.count; ++t, sums += lanes)
      for (int64_t c = 0; c < lanes; c += static_cast<int64_t>(hn::Lanes(d))) {
        auto v = hn::LoadU(d, sums + c);
        if (results.residual) v = hn::Add(v, load(d, results.residual + t * results.residual_step + c));
        store(d, activate_vector<K, T>(d, v), results.y + t * results.y_step + c);
      }
  }
};

template <class D, class T>
HWY_NOINLINE HWY_ATTR void finish_tile(D d, ActivationKind kind, const TileResults<T>& results, const float* sums, int64_t lanes) {
  if constexpr (kHasTiles<D, T>)
    by_activation<FinishTile>(kind, d, results, sums, lanes);
  else
    simd::finish({kind, results.count, lanes, sums, lanes, nullptr, results.residual, results.residual_step, results.y, results.y_step});
}

// The packed weights' first tap of channel c.
HWY_INLINE const float* first_tap(const DepthwisePass& p, int64_t c) {
  return p.weights + c / kDepthwiseUnit * p.taps * kDepthwiseUnit + c % kDepthwiseUnit;
}

// Where pixels that a tile's windows meet lie outside of the line. Left and right edges are those of a line that is padded by half a
// kernel; at any edges, up to that many are missing at each end.
enum class Edges { none, left, right, both, any };

// Pixels that are missing at the right edge: where the stride is 2, of an even line.
template <int kKernel, int kStride>
constexpr int64_t kMissingRight = (kKernel + 1) / 2 - kStride;

// The results from ox on; the `first` ones were there before, and stay.
template <int kKernel, int kStride, int kVectors, Edges kEdges, class D, class T>
HWY_INLINE HWY_ATTR void tile(D d, const DepthwisePass& p, const DepthwiseLine<T>& line, int64_t c, int64_t ox, int64_t first) {
  using V = hn::Vec<D>;
  constexpr int64_t kLanes = hn::MaxLanes(D()), kReach = kStride * (kTile - 1) + kKernel, kHalf = kKernel / 2;
  constexpr int64_t kLeft = kEdges == Edges::left || kEdges == Edges::both ? kHalf : 0;
  constexpr int64_t kRight = kEdges == Edges::right || kEdges == Edges::both ? kMissingRight<kKernel, kStride> : 0;
  const int64_t ix = ox * kStride - p.left, low = -ix, high = p.x_width - ix;
  V sums[kTile][kVectors];
  FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) {
    const V start = p.bias ? hn::LoadU(d, p.bias + c + v * kLanes) : hn::Zero(d);
    FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) sums[t][v] = start;
  }
  const float* const weights = first_tap(p, c);
  for (int64_t row = 0; row < line.rows; ++row) {
    const float* const w = weights + line.tap[static_cast<size_t>(row)] * kDepthwiseUnit;
    const T* const x = line.x[static_cast<size_t>(row)] + ix * p.x_step + c;
    V taps[kKernel][kVectors];
    FOVEA_UNROLL_WHOLLY for (int j = 0; j < kKernel; ++j) {
      FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) taps[j][v] =
          hn::LoadU(d, w + v * p.taps * kDepthwiseUnit + j * kDepthwiseUnit);
    }
    FOVEA_UNROLL_WHOLLY for (int k = 0; k < kReach; ++k) {
      if (k < kLeft || k >= kReach - kRight) continue;
      if (kEdges == Edges::any && ((k < kHalf && k < low) || (k >= kReach - kHalf && k >= high))) continue;
      FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) {
        const V value = load(d, x + k * p.x_step + v * kLanes);
        FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
          const int j = k - t * kStride;
          if (j >= 0 && j < kKernel) sums[t][v] = hn::MulAdd(value, taps[j][v], sums[t][v]);
        }
      }
    }
  }
  T* const y = line.y + ox * p.y_step + c;
  if (p.activation == ActivationKind::identity && !line.residual) {
    if constexpr (sizeof(T) == sizeof(float) && kLanes == kDepthwiseUnit) {
      if (p.stream) {
        FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
          FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) hn::Stream(sums[t][v], d, y + t * p.y_step + v * kLanes);
        }
        return;
      }
    }
    FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
      FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) store(d, sums[t][v], y + t * p.y_step + v * kLanes);
    }
    return;
  }
  HWY_ALIGN float buffer[kTile * kVectors * kLanes];
  FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
    FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) hn::Store(sums[t][v], d, buffer + (t * kVectors + v) * kLanes);
  }
  finish_tile(d, p.activation, TileResults<T>(p, line, c, ox + first, kTile - first), buffer + first * kVectors * kLanes,
              kVectors * kLanes);
}

template <int kKernel, int kStride, int kVectors, Edges kEdges, class D, class T>
HWY_INLINE HWY_ATTR void tiles(D d, const DepthwisePass& p, const DepthwiseLine<T>* lines, int64_t count, int64_t c, int64_t ox,
                               int64_t first) {
  for (int64_t i = 0; i < count; ++i) tile<kKernel, kStride, kVectors, kEdges>(d, p, lines[i], c, ox, first);
}

// `count` results from ox on, at most a tile's, of any kernel and padding; the stride is 1 or 2.
template <class D, class T>
HWY_NOINLINE HWY_ATTR void any_tile(D d, const DepthwisePass& p, const DepthwiseLine<T>& line, int64_t c, int64_t ox, int64_t count) {
  using V = hn::Vec<D>;
  constexpr int64_t kLanes = hn::MaxLanes(D());
  const int64_t ix = ox * p.stride - p.left, step = p.stride * p.x_step;
  int64_t begin[kMostTaps], end[kMostTaps];  // the results whose windows' tap j lies in the line
  const auto steps = [&](int64_t columns) { return p.stride == 1 ? columns : columns / 2; };
  for (int64_t j = 0; j < p.kernel; ++j) {
    begin[j] = std::max<int64_t>(0, steps(p.stride - 1 - ix - j));
    end[j] = ix + j < p.x_width ? std::min(count, steps(p.x_width - 1 - ix - j) + 1) : 0;
  }
  V sums[kTile];
  FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) sums[t] = p.bias ? hn::LoadU(d, p.bias + c) : hn::Zero(d);
  const float* const weights = first_tap(p, c);
  for (int64_t row = 0; row < line.rows; ++row) {
    const float* const w = weights + line.tap[static_cast<size_t>(row)] * kDepthwiseUnit;
    const T* x = line.x[static_cast<size_t>(row)] + ix * p.x_step + c;
    for (int64_t j = 0; j < p.kernel; ++j, x += p.x_step) {
      const V tap = hn::LoadU(d, w + j * kDepthwiseUnit);
      if (begin[j] == 0 && end[j] == kTile) {
        FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) sums[t] = hn::MulAdd(load(d, x + t * step), tap, sums[t]);
      } else {
        FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
          if (t >= begin[j] && t < end[j]) sums[t] = hn::MulAdd(load(d, x + t * step), tap, sums[t]);
        }
      }
    }
  }
  HWY_ALIGN float buffer[kTile * kLanes];
  FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) hn::Store(sums[t], d, buffer + t * kLanes);
  finish_tile(d, p.activation, TileResults<T>(p, line, c, ox, count), buffer, kLanes);
}

// The results from ox to the end of the line or of a tile.
template <int kKernel, int kStride, int kVectors, class D, class T>
HWY_NOINLINE HWY_ATTR void channels_of(D d, const DepthwisePass& p, const DepthwiseLine<T>* lines, int64_t count, int64_t c, int64_t ox) {
  if constexpr (kKernel > 0 && kHasTiles<D, T>) {
    // The last tile ends where the line does, and computes what the one before it has computed again.
    const int64_t start = std::min(ox, p.y_width - kTile), first = ox - start;
    const int64_t left = p.left - start * kStride, right = kStride * (kTile - 1) + kKernel - left - p.x_width, half = kKernel / 2;
    if (start >= 0 && left <= half && right <= half) {
      if constexpr (hn::MaxLanes(D()) == hn::MaxLanes(hn::ScalableTag<float>())) {
        if (left <= 0 && right <= 0) return tiles<kKernel, kStride, kVectors, Edges::none>(d, p, lines, count, c, start, first);
        if constexpr (kKernel % 2 == 1 && kKernel > 1) {
          const bool at_left = left == half;
          if (at_left && right <= 0) return tiles<kKernel, kStride, kVectors, Edges::left>(d, p, lines, count, c, start, first);
          constexpr int64_t kMissing = kMissingRight<kKernel, kStride>;
          if constexpr (kMissing > 0) {
            const bool at_right = right == kMissing;
            if (left <= 0 && at_right) return tiles<kKernel, kStride, kVectors, Edges::right>(d, p, lines, count, c, start, first);
            if (at_left && at_right) return tiles<kKernel, kStride, kVectors, Edges::both>(d, p, lines, count, c, start, first);
          }
        }
      }
      return tiles<kKernel, kStride, kVectors, Edges::any>(d, p, lines, count, c, start, first);
    }
  }
  for (int64_t i = 0; i < count; ++i)
    for (int v = 0; v < kVectors; ++v)
      any_tile(d, p, lines[i], c + v * static_cast<int64_t>(hn::Lanes(d)), ox, std::min(kTile, p.y_width - ox));
}

template <int kKernel, int kStride, class T>
HWY_INLINE HWY_ATTR void lines_of(const DepthwisePass& p, const DepthwiseLine<T>* lines, int64_t count) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 8> eight;
  const hn::CappedTag<float, 4> four;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(full));
  // Channels inside pixels: memory is walked in order.
  for (int64_t ox = 0; ox < p.y_width; ox += kTile) {
    int64_t c = p.first;
    if constexpr (kMostVectors == 2)
      for (; c + 2 * lanes <= p.last; c += 2 * lanes) channels_of<kKernel, kStride, 2>(full, p, lines, count, c, ox);
    for (; c + lanes <= p.last; c += lanes) channels_of<kKernel, kStride, 1>(full, p, lines, count, c, ox);
    if constexpr (hn::MaxLanes(full) > 8)
      for (; c + 8 <= p.last; c += 8) channels_of<kKernel, kStride, 1>(eight, p, lines, count, c, ox);
    const auto rest = [&](auto d) HWY_ATTR {
      for (; c + static_cast<int64_t>(hn::Lanes(d)) <= p.last; c += static_cast<int64_t>(hn::Lanes(d)))
        for (int64_t i = 0; i < count; ++i) any_tile(d, p, lines[i], c, ox, std::min(kTile, p.y_width - ox));
    };
    if constexpr (hn::MaxLanes(full) > 4) rest(four);
    rest(one);
  }
}

template <class T>
HWY_INLINE HWY_ATTR void by_kernel(const DepthwisePass& p, const DepthwiseLine<T>* lines, int64_t count) {
  if constexpr (!kHasTiles<hn::ScalableTag<float>, T>) return lines_of<0, 0>(p, lines, count);
  switch (p.kernel * 10 + p.stride) {
    case 11:
      return lines_of<1, 1>(p, lines, count);
    case 21:
      return lines_of<2, 1>(p, lines, count);
    case 31:
      return lines_of<3, 1>(p, lines, count);
    case 41:
      return lines_of<4, 1>(p, lines, count);
    case 51:
      return lines_of<5, 1>(p, lines, count);
    case 71:
      return lines_of<7, 1>(p, lines, count);
    case 32:
      return lines_of<3, 2>(p, lines, count);
    case 52:
      return lines_of<5, 2>(p, lines, count);
    case 72:
      return lines_of<7, 2>(p, lines, count);
  }
}

void DepthwiseLinesFloat(const DepthwisePass& p, const DepthwiseLine<float>* lines, int64_t count) {
  by_kernel(p, lines, count);
  if (p.stream) hwy::FlushStream();
}
void DepthwiseLinesBf16(const DepthwisePass& p, const DepthwiseLine<Bf16>* lines, int64_t count) { by_kernel(p, lines, count); }

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(DepthwiseLinesFloat);
HWY_EXPORT(DepthwiseLinesBf16);
namespace simd {
bool has_depthwise(int64_t kernel, int64_t stride) {
  return stride == 1 ? (kernel >= 1 && kernel <= 5) || kernel == 7 : stride == 2 && (kernel == 3 || kernel == 5 || kernel == 7);
}
void depthwise_lines(const DepthwisePass& pass, const DepthwiseLine<float>* lines, int64_t count) {
  HWY_DYNAMIC_DISPATCH(DepthwiseLinesFloat)(pass, lines, count);
}
void depthwise_lines(const DepthwisePass& pass, const DepthwiseLine<Bf16>* lines, int64_t count) {
  HWY_DYNAMIC_DISPATCH(DepthwiseLinesBf16)(pass, lines, count);
}
}  // namespace simd
}  // namespace fovea::cpu
#endif
