#include "backends/cpu/simd.h"

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/elementwise_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/activation-inl.h"
#include "backends/cpu/loops-inl.h"
#include "backends/cpu/storage-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

template <ActivationKind K>
struct FinishLoop {
  template <class T>
  static void run(T, const simd::Finish& p) {
    for (int64_t row = 0; row < p.rows; ++row) {
      const float* const sums = p.sums + row * p.sums_stride;
      const T* const residual = p.residual ? p.residual.as<T>() + row * p.residual_stride : nullptr;
      T* const y = p.y.as<T>() + row * p.y_stride;
      const float* const bias = p.bias;
      for_each_vector(p.columns, [=](auto d, int64_t c) HWY_ATTR {
        auto v = hn::LoadU(d, sums + c);
        if (bias) v = hn::Add(v, hn::LoadU(d, bias + c));
        if (residual) v = hn::Add(v, load(d, residual + c));
        store(d, activate_vector<K, T>(d, v), y + c);
      });
    }
  }
};
void FinishRows(const simd::Finish& pass) {
  pass.y.bf16 ? by_activation<FinishLoop>(pass.activation, Bf16{}, pass) : by_activation<FinishLoop>(pass.activation, float{}, pass);
}

template <ActivationKind K>
struct ActivateLoop {
  static void run(const Bf16* x, Bf16* y, int64_t n) {
    for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR { store(d, activate_vector<K, Bf16>(d, load(d, x + i)), y + i); });
  }
};
void Activate(ActivationKind kind, Source x, Target y, int64_t n) {
  if (x.bf16) return by_activation<ActivateLoop>(kind, x.as<Bf16>(), y.as<Bf16>(), n);
  FinishRows({kind, 1, n, x.as<float>(), n, nullptr, {}, 0, y, n});
}

template <ActivationKind K>
struct ActivationGradLoop {
  template <class T>
  static void run(const T* dy, const T* v, T* dx, int64_t n) {
    for_each_vector(
        n, [=](auto d, int64_t i) HWY_ATTR { store(d, hn::Mul(load(d, dy + i), derivative_vector<K, T>(d, load(d, v + i))), dx + i); });
  }
};
void ActivationGradient(ActivationKind kind, Source dy, Source v, Target dx, int64_t n) {
  dy.bf16 ? by_activation<ActivationGradLoop>(kind, dy.as<Bf16>(), v.as<Bf16>(), dx.as<Bf16>(), n)
          : by_activation<ActivationGradLoop>(kind, dy.as<float>(), v.as<float>(), dx.as<float>(), n);
}

template <class X, class Y>
void convert_loop(const X* x, Y* y, int64_t n) {
  for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR { store(d, load(d, x + i), y + i); });
}
void Convert(Source x, Target y, int64_t n) {
  if (x.bf16) return y.bf16 ? convert_loop(x.as<Bf16>(), y.as<Bf16>(), n) : convert_loop(x.as<Bf16>(), y.as<float>(), n);
  y.bf16 ? convert_loop(x.as<float>(), y.as<Bf16>(), n) : convert_loop(x.as<float>(), y.as<float>(), n);
}

template <class T>
void add_scaled_loop(const T* x, float factor, float* y, int64_t n) {
  for_each_vector(
      n, [=](auto d, int64_t i) HWY_ATTR { hn::StoreU(hn::MulAdd(hn::Set(d, factor), load(d, x + i), hn::LoadU(d, y + i)), d, y + i); });
}
void AddScaled(Source x, float factor, float* y, int64_t n) {
  x.bf16 ? add_scaled_loop(x.as<Bf16>(), factor, y, n) : add_scaled_loop(x.as<float>(), factor, y, n);
}

template <class T>
float number(const T* x) {
  float result;
  convert_loop(x, &result, 1);
  return result;
}

template <simd::Binary K, class D, class V = hn::Vec<D>>
HWY_INLINE V binary_vector(D, V a, V b) {
  return K == simd::Binary::add ? hn::Add(a, b) : hn::Mul(a, b);
}
template <simd::Binary K, class A, class B, class Y>
void binary_loop(const A* a, int64_t a_step, const B* b, int64_t b_step, Y* y, int64_t n) {
  const float a0 = a_step == 0 ? number(a) : 0, b0 = b_step == 0 ? number(b) : 0;
  for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR {
    const auto left = a_step == 0 ? hn::Set(d, a0) : load(d, a + i), right = b_step == 0 ? hn::Set(d, b0) : load(d, b + i);
    store(d, binary_vector<K>(d, left, right), y + i);
  });
}
template <simd::Binary K>
void binary_typed(Source a, int64_t a_step, Source b, int64_t b_step, Target y, int64_t n) {
  if (!a.bf16 && !b.bf16) return binary_loop<K>(a.as<float>(), a_step, b.as<float>(), b_step, y.as<float>(), n);
  if (a.bf16 && b.bf16) return binary_loop<K>(a.as<Bf16>(), a_step, b.as<Bf16>(), b_step, y.as<Bf16>(), n);
  if (a.bf16) return binary_loop<K>(a.as<Bf16>(), a_step, b.as<float>(), b_step, y.as<Bf16>(), n);
  binary_loop<K>(b.as<Bf16>(), b_step, a.as<float>(), a_step, y.as<Bf16>(), n);
}
void BinaryLoop(simd::Binary op, Source a, int64_t a_step, Source b, int64_t b_step, Target y, int64_t n) {
  op == simd::Binary::add ? binary_typed<simd::Binary::add>(a, a_step, b, b_step, y, n)
                          : binary_typed<simd::Binary::multiply>(a, a_step, b, b_step, y, n);
}

template <bool kWhere, class T>
void max_window_loop(const simd::MaxWindow& p, int64_t channels) {
  const T* const x = p.x.as<T>();
  T* const y = p.y.as<T>();
  for_each_vector(channels, [=](auto d, int64_t c) HWY_ATTR {
    const hn::RebindToSigned<decltype(d)> di;
    auto best = load(d, x + c);
    auto where = hn::Set(di, p.index);
    for (int64_t i = 0; i < p.rows; ++i)
      for (int64_t j = i == 0 ? 1 : 0; j < p.columns; ++j) {
        const auto v = load(d, x + i * p.row_step + j * p.pixel_step + c);
        const auto take = hn::Or(hn::Gt(v, best), hn::IsNaN(v));
        best = hn::IfThenElse(take, v, best);
        if constexpr (kWhere) {
          const auto index = static_cast<int32_t>(p.index + i * p.row_index + j);
          where = hn::IfThenElse(hn::RebindMask(di, take), hn::Set(di, index), where);
        }
      }
    if (y) store(d, best, y + c);
    if constexpr (kWhere) hn::StoreU(where, di, p.where + c);
  });
}
void MaxWindowLoop(const simd::MaxWindow& p, int64_t channels) {
  if (p.x.bf16)
    p.where ? max_window_loop<true, Bf16>(p, channels) : max_window_loop<false, Bf16>(p, channels);
  else
    p.where ? max_window_loop<true, float>(p, channels) : max_window_loop<false, float>(p, channels);
}
template <class T>
void add_where_loop(const T* dy, const int32_t* where, int32_t index, float* dx, int64_t n) {
  for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR {
    const hn::RebindToSigned<decltype(d)> di;
    const auto mask = hn::RebindMask(d, hn::Eq(hn::LoadU(di, where + i), hn::Set(di, index)));
    hn::StoreU(hn::Add(hn::LoadU(d, dx + i), hn::IfThenElseZero(mask, load(d, dy + i))), d, dx + i);
  });
}
void AddWhere(Source dy, const int32_t* where, int32_t index, float* dx, int64_t n) {
  dy.bf16 ? add_where_loop(dy.as<Bf16>(), where, index, dx, n) : add_where_loop(dy.as<float>(), where, index, dx, n);
}

template <bool kNesterov>
void sgd_loop(const simd::SgdStep& step, const float* p, const float* g, const float* v, float* next_p, float* next_v, int64_t n) {
  for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR {
    const auto parameter = hn::LoadU(d, p + i), momentum = hn::Set(d, step.momentum);
    const auto gradient = hn::MulAdd(hn::Set(d, step.weight_decay), parameter, hn::LoadU(d, g + i));
    const auto velocity = hn::MulAdd(momentum, hn::LoadU(d, v + i), gradient);
    const auto move = kNesterov ? hn::MulAdd(momentum, velocity, gradient) : velocity;
    hn::StoreU(velocity, d, next_v + i);
    hn::StoreU(hn::NegMulAdd(hn::Set(d, step.rate), move, parameter), d, next_p + i);
  });
}
void SgdLoop(const simd::SgdStep& step, const float* p, const float* g, const float* v, float* next_p, float* next_v, int64_t n) {
  step.nesterov ? sgd_loop<true>(step, p, g, v, next_p, next_v, n) : sgd_loop<false>(step, p, g, v, next_p, next_v, n);
}

void AdamWLoop(const simd::AdamStep& step, const simd::AdamState& state, int64_t n) {
  for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR {
    const auto g = hn::LoadU(d, state.gradient + i);
    const auto m = hn::MulAdd(hn::Set(d, step.beta1), hn::LoadU(d, state.m + i), hn::Mul(hn::Set(d, step.one_minus_beta1), g));
    const auto v = hn::MulAdd(hn::Set(d, step.beta2), hn::LoadU(d, state.v + i), hn::Mul(hn::Mul(hn::Set(d, step.one_minus_beta2), g), g));
    const auto divisor = hn::MulAdd(hn::Sqrt(v), hn::Set(d, step.inv_correction), hn::Set(d, step.eps));
    const auto decayed = hn::Mul(hn::Set(d, step.decay), hn::LoadU(d, state.parameter + i));
    hn::StoreU(m, d, state.next_m + i);
    hn::StoreU(v, d, state.next_v + i);
    hn::StoreU(hn::NegMulAdd(hn::Set(d, step.rate), hn::Div(m, divisor), decayed), d, state.next_parameter + i);
  });
}

void RmspropLoop(const simd::RmspropStep& step, const simd::RmspropState& state, int64_t n) {
  for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR {
    const auto p = hn::LoadU(d, state.parameter + i), before = hn::LoadU(d, state.square + i);
    const auto g = hn::MulAdd(hn::Set(d, step.weight_decay), p, hn::LoadU(d, state.gradient + i));
    const auto square = hn::MulAdd(hn::Set(d, step.one_minus_alpha), hn::MulSub(g, g, before), before);
    const auto move = hn::Div(hn::Mul(hn::Set(d, step.rate), g), hn::Sqrt(hn::Add(square, hn::Set(d, step.eps))));
    const auto velocity = hn::MulAdd(hn::Set(d, step.momentum), hn::LoadU(d, state.velocity + i), move);
    hn::StoreU(square, d, state.next_square + i);
    hn::StoreU(velocity, d, state.next_velocity + i);
    hn::StoreU(hn::Sub(p, velocity), d, state.next_parameter + i);
  });
}

void AccumulateLoop(float keep, const float* sum, float scale, const float* x, float* next, int64_t n) {
  if (keep == 0)
    return for_each_vector(n,
                           [=](auto d, int64_t i) HWY_ATTR { hn::StoreU(hn::Mul(hn::Set(d, scale), hn::LoadU(d, x + i)), d, next + i); });
  for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR {
    const auto kept = hn::Mul(hn::Set(d, keep), hn::LoadU(d, sum + i));
    hn::StoreU(hn::MulAdd(hn::Set(d, scale), hn::LoadU(d, x + i), kept), d, next + i);
  });
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(Activate);
HWY_EXPORT(ActivationGradient);
HWY_EXPORT(FinishRows);
HWY_EXPORT(Convert);
HWY_EXPORT(AddScaled);
HWY_EXPORT(BinaryLoop);
HWY_EXPORT(MaxWindowLoop);
HWY_EXPORT(AddWhere);
HWY_EXPORT(SgdLoop);
HWY_EXPORT(AdamWLoop);
HWY_EXPORT(RmspropLoop);
HWY_EXPORT(AccumulateLoop);

namespace simd {
void activate(ActivationKind kind, Source x, Target y, int64_t n) { HWY_DYNAMIC_DISPATCH(Activate)(kind, x, y, n); }
void activation_grad(ActivationKind kind, Source dy, Source x_or_y, Target dx, int64_t n) {
  HWY_DYNAMIC_DISPATCH(ActivationGradient)(kind, dy, x_or_y, dx, n);
}
void finish(const Finish& pass) { HWY_DYNAMIC_DISPATCH(FinishRows)(pass); }
void convert(Source x, Target y, int64_t n) { HWY_DYNAMIC_DISPATCH(Convert)(x, y, n); }
void add_scaled(Source x, float factor, float* y, int64_t n) { HWY_DYNAMIC_DISPATCH(AddScaled)(x, factor, y, n); }
void binary(Binary op, Source a, int64_t a_step, Source b, int64_t b_step, Target y, int64_t n) {
  HWY_DYNAMIC_DISPATCH(BinaryLoop)(op, a, a_step, b, b_step, y, n);
}
void max_window(const MaxWindow& window, int64_t channels) { HWY_DYNAMIC_DISPATCH(MaxWindowLoop)(window, channels); }
void add_where(Source dy, const int32_t* where, int32_t index, float* dx, int64_t n) {
  HWY_DYNAMIC_DISPATCH(AddWhere)(dy, where, index, dx, n);
}
void sgd(const SgdStep& step, const float* parameter, const float* gradient, const float* velocity, float* next_parameter,
         float* next_velocity, int64_t n) {
  HWY_DYNAMIC_DISPATCH(SgdLoop)(step, parameter, gradient, velocity, next_parameter, next_velocity, n);
}
void adamw(const AdamStep& step, const AdamState& state, int64_t n) { HWY_DYNAMIC_DISPATCH(AdamWLoop)(step, state, n); }
void rmsprop(const RmspropStep& step, const RmspropState& state, int64_t n) { HWY_DYNAMIC_DISPATCH(RmspropLoop)(step, state, n); }
void accumulate(float keep, const float* sum, float scale, const float* x, float* next, int64_t n) {
  HWY_DYNAMIC_DISPATCH(AccumulateLoop)(keep, sum, scale, x, next, n);
}
}  // namespace simd
}  // namespace fovea::cpu
#endif
