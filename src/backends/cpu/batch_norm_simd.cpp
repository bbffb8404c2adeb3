#include "backends/cpu/simd.h"

#include <algorithm>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/batch_norm_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/activation-inl.h"
#include "backends/cpu/loops-inl.h"
#include "backends/cpu/storage-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

constexpr int64_t kBlockRows = 64;  // added up in float before they go to the double sums
constexpr int64_t kGroupRows = 8;   // added up in registers

// Adds terms.add(d, per-channel values, row, c, first, second) over rows: registers, then float, then double.
template <class Terms>
HWY_INLINE HWY_ATTR void column_terms(const Terms& terms, int64_t row, int64_t rows, int64_t channels, const simd::ColumnSums& sums) {
  float* const first = sums.scratch;
  float* const second = sums.scratch + channels;
  for (const int64_t end = row + rows; row < end;) {
    std::fill(first, second + channels, 0.0f);
    for (const int64_t stop = std::min(end, row + kBlockRows); row < stop;) {
      const int64_t group = stop - row < kGroupRows ? 1 : kGroupRows;
      for_each_vector(channels, [&terms, row, group, first, second](auto d, int64_t c) HWY_ATTR {
        const auto constants = terms.constants(d, c);
        auto a = hn::LoadU(d, first + c), b = hn::LoadU(d, second + c);
        for (int64_t k = 0; k < group; ++k) terms.add(d, constants, row + k, c, a, b);
        hn::StoreU(a, d, first + c);
        hn::StoreU(b, d, second + c);
      });
      row += group;
    }
    for (int64_t c = 0; c < channels; ++c) {
      sums.first[c] += first[c];
      sums.second[c] += second[c];
    }
  }
}

template <class T>
struct MomentTerms {
  const T* x;
  const float* shift;
  int64_t stride;
  template <class D>
  HWY_INLINE HWY_ATTR hn::Vec<D> constants(D d, int64_t c) const {
    return hn::LoadU(d, shift + c);
  }
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE HWY_ATTR void add(D d, V s, int64_t row, int64_t c, V& a, V& b) const {
    const V v = hn::Sub(load(d, x + row * stride + c), s);
    a = hn::Add(a, v);
    b = hn::MulAdd(v, v, b);
  }
};
void ColumnMoments(Source x, int64_t rows, int64_t stride, int64_t channels, const float* shift, const simd::ColumnSums& sums) {
  x.bf16 ? column_terms(MomentTerms<Bf16>{x.as<Bf16>(), shift, stride}, 0, rows, channels, sums)
         : column_terms(MomentTerms<float>{x.as<float>(), shift, stride}, 0, rows, channels, sums);
}

template <class T>
void column_sum(const T* x, int64_t rows, int64_t stride, int64_t channels, float* scratch, double* sum) {
  for (int64_t row = 0; row < rows;) {
    std::fill(scratch, scratch + channels, 0.0f);
    const int64_t stop = std::min(rows, row + kBlockRows);
    for (; row < stop; ++row) {
      const T* const from = x + row * stride;
      for_each_vector(channels, [from, scratch](auto d, int64_t c)
                                    HWY_ATTR { hn::StoreU(hn::Add(hn::LoadU(d, scratch + c), load(d, from + c)), d, scratch + c); });
    }
    for (int64_t c = 0; c < channels; ++c) sum[c] += scratch[c];
  }
}
void ColumnSum(Source x, int64_t rows, int64_t stride, int64_t channels, float* scratch, double* sum) {
  x.bf16 ? column_sum(x.as<Bf16>(), rows, stride, channels, scratch, sum) : column_sum(x.as<float>(), rows, stride, channels, scratch, sum);
}

// What follows batch norms in most networks has loops of its own, the rest shares one and is told apart inside.
constexpr auto kOther = static_cast<ActivationKind>(-1);

template <template <ActivationKind> class Loop, class... Args>
HWY_INLINE void by_usual_activation(ActivationKind kind, const Args&... args) {
  switch (kind) {
    case ActivationKind::identity:
      return Loop<ActivationKind::identity>::run(args...);
    case ActivationKind::relu:
      return Loop<ActivationKind::relu>::run(args...);
    case ActivationKind::relu6:
      return Loop<ActivationKind::relu6>::run(args...);
    case ActivationKind::silu:
      return Loop<ActivationKind::silu>::run(args...);
    case ActivationKind::hard_swish:
      return Loop<ActivationKind::hard_swish>::run(args...);
    case ActivationKind::sigmoid:
    case ActivationKind::hard_sigmoid:
    case ActivationKind::gelu:
    case ActivationKind::gelu_tanh:
    case ActivationKind::quick_gelu:
    case ActivationKind::exp:
      return Loop<kOther>::run(args...);
  }
}
template <ActivationKind K, class T, class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR V activated(D d, ActivationKind kind, V x) {
  if constexpr (K != kOther) return activate_vector<K, T>(d, x);
  if (kind == ActivationKind::sigmoid) return activate_vector<ActivationKind::sigmoid, T>(d, x);
  if (kind == ActivationKind::hard_sigmoid) return activate_vector<ActivationKind::hard_sigmoid, T>(d, x);
  if (kind == ActivationKind::gelu_tanh) return activate_vector<ActivationKind::gelu_tanh, T>(d, x);
  if (kind == ActivationKind::exp) return activate_vector<ActivationKind::exp, T>(d, x);
  if (kind == ActivationKind::quick_gelu) return activate_vector<ActivationKind::quick_gelu, T>(d, x);
  return activate_vector<ActivationKind::gelu, T>(d, x);
}
template <ActivationKind K, class T, class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR V slope(D d, ActivationKind kind, V x_or_y) {
  if constexpr (K != kOther) return derivative_vector<K, T>(d, x_or_y);
  if (kind == ActivationKind::sigmoid) return derivative_vector<ActivationKind::sigmoid, T>(d, x_or_y);
  if (kind == ActivationKind::hard_sigmoid) return derivative_vector<ActivationKind::hard_sigmoid, T>(d, x_or_y);
  if (kind == ActivationKind::gelu_tanh) return derivative_vector<ActivationKind::gelu_tanh, T>(d, x_or_y);
  if (kind == ActivationKind::exp) return derivative_vector<ActivationKind::exp, T>(d, x_or_y);
  if (kind == ActivationKind::quick_gelu) return derivative_vector<ActivationKind::quick_gelu, T>(d, x_or_y);
  return derivative_vector<ActivationKind::gelu, T>(d, x_or_y);
}

template <ActivationKind K>
struct NormalizeLoop {
  template <class T>
  static void run(T, const simd::Normalize& p, int64_t row, int64_t rows, int64_t channels) {
    for (const int64_t end = row + rows; row < end; ++row) {
      const T* const x = p.x.as<T>() + row * p.x_stride;
      const T* const residual = p.residual ? p.residual.as<T>() + row * p.residual_stride : nullptr;
      T* const y = p.y.as<T>() + row * p.y_stride;
      const float *const mean = p.mean, *const scale = p.scale, *const offset = p.offset;
      const ActivationKind kind = p.activation;
      for_each_vector(channels, [=](auto d, int64_t c) HWY_ATTR {
        const auto v = hn::Sub(load(d, x + c), hn::LoadU(d, mean + c));
        auto z = hn::MulAdd(v, hn::LoadU(d, scale + c), hn::LoadU(d, offset + c));
        if (residual) z = hn::Add(z, load(d, residual + c));
        store(d, activated<K, T>(d, kind, z), y + c);
      });
    }
  }
};
void NormalizeRows(const simd::Normalize& pass, int64_t row, int64_t rows, int64_t channels) {
  pass.x.bf16 ? by_usual_activation<NormalizeLoop>(pass.activation, Bf16{}, pass, row, rows, channels)
              : by_usual_activation<NormalizeLoop>(pass.activation, float{}, pass, row, rows, channels);
}

template <class D>
struct GradConstants {
  hn::Vec<D> mean, scale, beta;
};

// dz and x - mean of one vector.
template <ActivationKind K, class T, class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR void grad_terms(D d, const simd::NormalizeGrad& p, const GradConstants<D>& constants, int64_t row, int64_t c, V& dz,
                                    V& centred) {
  dz = load(d, p.dy.as<T>() + row * p.dy_stride + c);
  centred = hn::Sub(load(d, p.x.as<T>() + row * p.x_stride + c), constants.mean);
  if constexpr (K != ActivationKind::identity) {
    V x_or_y;
    if (p.y) {
      x_or_y = load(d, p.y.as<T>() + row * p.y_stride + c);
    } else {
      x_or_y = hn::MulAdd(centred, constants.scale, constants.beta);
      if (K == kOther && p.activation == ActivationKind::sigmoid) x_or_y = activated<K, T>(d, p.activation, x_or_y);
    }
    dz = hn::Mul(dz, slope<K, T>(d, p.activation, x_or_y));
  }
}
template <ActivationKind K, class D>
HWY_INLINE HWY_ATTR GradConstants<D> grad_constants(D d, const simd::NormalizeGrad& p, int64_t c) {
  if (K == ActivationKind::identity || p.y) return {hn::LoadU(d, p.mean + c), hn::Zero(d), hn::Zero(d)};
  return {hn::LoadU(d, p.mean + c), hn::LoadU(d, p.scale + c), hn::LoadU(d, p.beta + c)};
}

template <ActivationKind K, class T>
struct GradTerms {
  const simd::NormalizeGrad& pass;
  template <class D>
  HWY_INLINE HWY_ATTR GradConstants<D> constants(D d, int64_t c) const {
    return grad_constants<K>(d, pass, c);
  }
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE HWY_ATTR void add(D d, const GradConstants<D>& constants, int64_t row, int64_t c, V& a, V& b) const {
    V dz, centred;
    grad_terms<K, T>(d, pass, constants, row, c, dz, centred);
    if (pass.dz) store(d, dz, pass.dz.as<T>() + row * pass.dz_stride + c);
    a = hn::Add(a, dz);
    b = hn::MulAdd(dz, centred, b);
  }
};
template <ActivationKind K>
struct GradSumsLoop {
  template <class T>
  static void run(T, const simd::NormalizeGrad& pass, int64_t row, int64_t rows, int64_t channels, const simd::ColumnSums& sums) {
    column_terms(GradTerms<K, T>{pass}, row, rows, channels, sums);
  }
};
void GradSums(const simd::NormalizeGrad& pass, int64_t row, int64_t rows, int64_t channels, const simd::ColumnSums& sums) {
  pass.x.bf16 ? by_usual_activation<GradSumsLoop>(pass.activation, Bf16{}, pass, row, rows, channels, sums)
              : by_usual_activation<GradSumsLoop>(pass.activation, float{}, pass, row, rows, channels, sums);
}

template <ActivationKind K>
struct GradApplyLoop {
  template <class T>
  static void run(T, const simd::NormalizeGrad& p, int64_t row, int64_t rows, int64_t channels) {
    for (const int64_t end = row + rows; row < end; ++row)
      for_each_vector(channels, [&p, row](auto d, int64_t c) HWY_ATTR {
        hn::Vec<decltype(d)> dz, centred;
        grad_terms<K, T>(d, p, grad_constants<K>(d, p, c), row, c, dz, centred);
        const auto rest = hn::MulAdd(centred, hn::LoadU(d, p.b + c), hn::LoadU(d, p.c + c));
        store(d, hn::MulSub(dz, hn::LoadU(d, p.a + c), rest), p.dx.as<T>() + row * p.dx_stride + c);
      });
  }
};
void GradApply(const simd::NormalizeGrad& pass, int64_t row, int64_t rows, int64_t channels) {
  pass.x.bf16 ? by_usual_activation<GradApplyLoop>(pass.activation, Bf16{}, pass, row, rows, channels)
              : by_usual_activation<GradApplyLoop>(pass.activation, float{}, pass, row, rows, channels);
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(ColumnMoments);
HWY_EXPORT(ColumnSum);
HWY_EXPORT(NormalizeRows);
HWY_EXPORT(GradSums);
HWY_EXPORT(GradApply);

namespace simd {
void column_moments(Source x, int64_t rows, int64_t stride, int64_t channels, const float* shift, const ColumnSums& sums) {
  HWY_DYNAMIC_DISPATCH(ColumnMoments)(x, rows, stride, channels, shift, sums);
}
void column_sum(Source x, int64_t rows, int64_t stride, int64_t channels, float* scratch, double* sum) {
  HWY_DYNAMIC_DISPATCH(ColumnSum)(x, rows, stride, channels, scratch, sum);
}
void normalize(const Normalize& pass, int64_t row, int64_t rows, int64_t channels) {
  HWY_DYNAMIC_DISPATCH(NormalizeRows)(pass, row, rows, channels);
}
void normalize_grad_sums(const NormalizeGrad& pass, int64_t row, int64_t rows, int64_t channels, const ColumnSums& sums) {
  HWY_DYNAMIC_DISPATCH(GradSums)(pass, row, rows, channels, sums);
}
void normalize_grad_apply(const NormalizeGrad& pass, int64_t row, int64_t rows, int64_t channels) {
  HWY_DYNAMIC_DISPATCH(GradApply)(pass, row, rows, channels);
}
}  // namespace simd
}  // namespace fovea::cpu
#endif
