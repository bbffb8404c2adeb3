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
template <int64_t kRows, class Terms>
HWY_INLINE HWY_ATTR void add_group(const Terms& terms, int64_t row, int64_t channels, float* first, float* second) {
  for_each_vector(channels, [&terms, row, first, second](auto d, int64_t c) HWY_ATTR {
    const auto constants = terms.constants(d, c);
    auto a = hn::LoadU(d, first + c), b = hn::LoadU(d, second + c);
    for (int64_t k = 0; k < kRows; ++k) terms.add(d, constants, row + k, c, a, b);
    hn::StoreU(a, d, first + c);
    hn::StoreU(b, d, second + c);
  });
}

template <class Terms>
HWY_INLINE HWY_ATTR void column_terms(const Terms& terms, int64_t row, int64_t rows, int64_t channels, const simd::ColumnSums& sums) {
  float* const first = sums.scratch;
  float* const second = sums.scratch + channels;
  for (const int64_t end = row + rows; row < end;) {
    std::fill(first, second + channels, 0.0f);
    const int64_t stop = std::min(end, row + kBlockRows);
    for (; row + kGroupRows <= stop; row += kGroupRows) add_group<kGroupRows>(terms, row, channels, first, second);
    for (; row < stop; ++row) add_group<1>(terms, row, channels, first, second);
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

template <ActivationKind K>
struct NormalizeLoop {
  template <class T>
  static void run(T, const simd::Normalize& p, int64_t row, int64_t rows, int64_t channels) {
    for (const int64_t end = row + rows; row < end; ++row) {
      const T* const x = p.x.as<T>() + row * p.x_stride;
      const T* const residual = p.residual ? p.residual.as<T>() + row * p.residual_stride : nullptr;
      T* const y = p.y.as<T>() + row * p.y_stride;
      const float *const mean = p.mean, *const scale = p.scale, *const offset = p.offset;
      if (residual) {
        for_each_vector(channels, [=](auto d, int64_t c) HWY_ATTR {
          const auto v = hn::Sub(load(d, x + c), hn::LoadU(d, mean + c));
          const auto z = hn::MulAdd(v, hn::LoadU(d, scale + c), hn::LoadU(d, offset + c));
          store(d, activate_vector<K, T>(d, hn::Add(z, load(d, residual + c))), y + c);
        });
      } else {
        for_each_vector(channels, [=](auto d, int64_t c) HWY_ATTR {
          const auto v = hn::Sub(load(d, x + c), hn::LoadU(d, mean + c));
          store(d, activate_vector<K, T>(d, hn::MulAdd(v, hn::LoadU(d, scale + c), hn::LoadU(d, offset + c))), y + c);
        });
      }
    }
  }
};
void NormalizeRows(const simd::Normalize& pass, int64_t row, int64_t rows, int64_t channels) {
  pass.x.bf16 ? by_activation<NormalizeLoop>(pass.activation, Bf16{}, pass, row, rows, channels)
              : by_activation<NormalizeLoop>(pass.activation, float{}, pass, row, rows, channels);
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
    if (p.y) {
      dz = hn::Mul(dz, derivative_vector<K, T>(d, load(d, p.y.as<T>() + row * p.y_stride + c)));
    } else {
      const V z = hn::MulAdd(centred, constants.scale, constants.beta);
      dz = hn::Mul(dz, derivative_vector<K, T>(d, K == ActivationKind::sigmoid ? activate_vector<K, T>(d, z) : z));
    }
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
  pass.x.bf16 ? by_activation<GradSumsLoop>(pass.activation, Bf16{}, pass, row, rows, channels, sums)
              : by_activation<GradSumsLoop>(pass.activation, float{}, pass, row, rows, channels, sums);
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
  pass.x.bf16 ? by_activation<GradApplyLoop>(pass.activation, Bf16{}, pass, row, rows, channels)
              : by_activation<GradApplyLoop>(pass.activation, float{}, pass, row, rows, channels);
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
