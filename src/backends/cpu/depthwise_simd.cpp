#include "backends/cpu/depthwise.h"

#include <algorithm>

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
// Vectors of channels at once: sums, the taps of a kernel row and the input must fit in 32 registers.
constexpr int64_t kMostVectors = HWY_TARGET <= HWY_AVX3 ? 2 : 1;

// Pixels [0, count) of a tile.
template <class T>
struct Place {
  T* y;
  const T* residual;
  int64_t y_step, residual_step, count;
};

template <ActivationKind K>
struct FinishTile {
  template <class D, class T>
  static HWY_NOINLINE HWY_ATTR void run(D d, const Place<T>& place, const float* sums, int64_t lanes) {
    for (int64_t t = 0; t < place.count; ++t, sums += lanes)
      for (int64_t c = 0; c < lanes; c += static_cast<int64_t>(hn::Lanes(d))) {
        auto v = hn::LoadU(d, sums + c);
        if (place.residual) v = hn::Add(v, load(d, place.residual + t * place.residual_step + c));
        store(d, activate_vector<K, T>(d, v), place.y + t * place.y_step + c);
      }
  }
};

template <class D, class T>
HWY_NOINLINE HWY_ATTR void finish_tile(D d, ActivationKind kind, const Place<T>& place, const float* sums, int64_t lanes) {
  by_activation<FinishTile>(kind, d, place, sums, lanes);
}

// kLeft and kRight pixels that the tile's windows meet lie outside the line. Guarded: any others may, and results too.
template <int kKernel, int kStride, int kVectors, int kLeft, int kRight, bool kGuarded, class D, class T>
HWY_INLINE HWY_ATTR void tile(D d, const DepthwisePass& p, const DepthwiseLine<T>& line, int64_t c, int64_t ox) {
  using V = hn::Vec<D>;
  constexpr int64_t kLanes = hn::MaxLanes(D()), kReach = kStride * (kTile - 1) + kKernel;
  const int64_t ix = ox * kStride - p.left, low = -ix, high = p.x_width - ix;
  V sums[kTile][kVectors];
  FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) {
    const V start = p.bias ? hn::LoadU(d, p.bias + c + v * kLanes) : hn::Zero(d);
    FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) sums[t][v] = start;
  }
  const int64_t unit_step = p.taps * kDepthwiseUnit;
  const float* const first_tap = p.weights + c / kDepthwiseUnit * unit_step + c % kDepthwiseUnit;
  for (int64_t row = 0; row < line.rows; ++row) {
    const float* const w = first_tap + line.tap[static_cast<size_t>(row)] * kDepthwiseUnit;
    const T* const x = line.x[static_cast<size_t>(row)] + ix * p.x_step + c;
    V taps[kKernel][kVectors];
    FOVEA_UNROLL_WHOLLY for (int j = 0; j < kKernel; ++j) {
      FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) taps[j][v] = hn::LoadU(d, w + v * unit_step + j * kDepthwiseUnit);
    }
    FOVEA_UNROLL_WHOLLY for (int k = 0; k < kReach; ++k) {
      if (k < kLeft || k >= kReach - kRight || (kGuarded && (k < low || k >= high))) continue;
      FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) {
        const V value = load(d, x + k * p.x_step + v * kLanes);
        FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
          const int j = k - t * kStride;
          if (j >= 0 && j < kKernel) sums[t][v] = hn::MulAdd(value, taps[j][v], sums[t][v]);
        }
      }
    }
  }
  const int64_t count = kGuarded ? std::min(kTile, p.y_width - ox) : kTile;
  T* const y = line.y + ox * p.y_step + c;
  if (p.activation == ActivationKind::identity && !line.residual) {
    if constexpr (sizeof(T) == sizeof(float) && kLanes == kDepthwiseUnit && !kGuarded) {
      if (p.stream) {
        FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
          FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) hn::Stream(sums[t][v], d, y + t * p.y_step + v * kLanes);
        }
        return;
      }
    }
    FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
      if (kGuarded && t >= count) continue;
      FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) store(d, sums[t][v], y + t * p.y_step + v * kLanes);
    }
    return;
  }
  HWY_ALIGN float buffer[kTile * kVectors * kLanes];
  FOVEA_UNROLL_WHOLLY for (int t = 0; t < kTile; ++t) {
    FOVEA_UNROLL_WHOLLY for (int v = 0; v < kVectors; ++v) hn::Store(sums[t][v], d, buffer + (t * kVectors + v) * kLanes);
  }
  const T* const residual = line.residual ? line.residual + ox * p.residual_step + c : nullptr;
  finish_tile(d, p.activation, Place<T>{y, residual, p.y_step, p.residual_step, count}, buffer, kVectors * kLanes);
}

// The tiles of results that start at ox.
template <int kKernel, int kStride, int kVectors, class D, class T>
HWY_NOINLINE HWY_ATTR void channels_of(D d, const DepthwisePass& p, const DepthwiseLine<T>* lines, int64_t count, int64_t c, int64_t ox) {
  // What is missing where the padding is half the kernel and the line a multiple of the tile; tails of channels are not worth more code.
  constexpr bool kFull = hn::MaxLanes(D()) == hn::MaxLanes(hn::ScalableTag<float>());
  constexpr int kLeft = kKernel / 2, kRight = kStride == 1 ? kKernel / 2 : kKernel / 2 - 1, kReach = kStride * (kTile - 1) + kKernel;
  const int64_t left = p.left - ox * kStride, right = kReach - left - p.x_width;
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (kFull) {
      if (ox + kTile <= p.y_width && (left <= 0 || left == kLeft) && (right <= 0 || right == kRight)) {
        if (left <= 0 && right <= 0)
          tile<kKernel, kStride, kVectors, 0, 0, false>(d, p, lines[i], c, ox);
        else if (right <= 0)
          tile<kKernel, kStride, kVectors, kLeft, 0, false>(d, p, lines[i], c, ox);
        else if (left <= 0)
          tile<kKernel, kStride, kVectors, 0, kRight, false>(d, p, lines[i], c, ox);
        else
          tile<kKernel, kStride, kVectors, kLeft, kRight, false>(d, p, lines[i], c, ox);
        continue;
      }
    }
    tile<kKernel, kStride, kVectors, 0, 0, true>(d, p, lines[i], c, ox);
  }
}

template <int kKernel, int kStride, class T>
HWY_INLINE HWY_ATTR void lines_of(const DepthwisePass& p, const DepthwiseLine<T>* lines, int64_t count) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 8> eight;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(full));
  // Channels inside pixels: memory is walked in order.
  for (int64_t ox = 0; ox < p.y_width; ox += kTile) {
    int64_t c = p.first;
    if constexpr (kMostVectors == 2)
      for (; c + 2 * lanes <= p.last; c += 2 * lanes) channels_of<kKernel, kStride, 2>(full, p, lines, count, c, ox);
    for (; c + lanes <= p.last; c += lanes) channels_of<kKernel, kStride, 1>(full, p, lines, count, c, ox);
    if (lanes > 8)
      for (; c + 8 <= p.last; c += 8) channels_of<kKernel, kStride, 1>(eight, p, lines, count, c, ox);
    for (; c < p.last; ++c) channels_of<kKernel, kStride, 1>(one, p, lines, count, c, ox);
  }
}

template <class T>
HWY_INLINE HWY_ATTR void by_kernel(const DepthwisePass& p, const DepthwiseLine<T>* lines, int64_t count) {
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
