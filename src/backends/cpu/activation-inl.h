// Activations and their derivatives on vectors; included once for every instruction set.
#if defined(FOVEA_CPU_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_CPU_ACTIVATION_INL_H_
#undef FOVEA_CPU_ACTIVATION_INL_H_
#else
#define FOVEA_CPU_ACTIVATION_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "ops/activation.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// 1 / (1 + exp(-x)), within 2 units in the last place; exp's argument stays where it is finite.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V logistic(D d, V x) {
  const V one = hn::Set(d, 1.0f), y = hn::Div(one, hn::Add(one, hn::Exp(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0f)))));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// Between low and high; what is not a number stays so.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V clamp(D d, V x, float low, float high) {
  const V raised = hn::IfThenElse(hn::Lt(x, hn::Set(d, low)), hn::Set(d, low), x);
  return hn::IfThenElse(hn::Gt(raised, hn::Set(d, high)), hn::Set(d, high), raised);
}

// The normal distribution's Phi(x) = erfc(-x / sqrt 2) / 2. erfc(t) = u exp(-t^2 + p(u)), u = 1 / (1 + t/2), t >= 0, with the polynomial of
// Numerical Recipes 6.2.2 (relative error 1.2e-7 everywhere), in double because p and t^2 cancel.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V normal_cdf(D d, V x) {
  const V one = hn::Set(d, 1.0), two = hn::Set(d, 2.0);
  const V t = hn::Min(hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678118654752440)), hn::Set(d, 26.0));
  const V u = hn::Div(two, hn::Add(two, t));
  V p = hn::Set(d, 0.17087277);
  for (const double c : {-0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223})
    p = hn::MulAdd(p, u, hn::Set(d, c));
  const V tail = hn::Mul(hn::Mul(u, hn::Set(d, 0.5)), hn::Exp(d, hn::NegMulAdd(t, t, p)));
  return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), hn::Sub(one, tail), tail);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_double(D d, V x) {
  return hn::Mul(x, normal_cdf(d, x));
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_derivative_double(D d, V x) {
  const V square = hn::Min(hn::Mul(x, x), hn::Set(d, 1400.0));
  const V density = hn::Mul(hn::Set(d, 0.39894228040143267794), hn::Exp(d, hn::Mul(square, hn::Set(d, -0.5))));
  return hn::MulAdd(x, density, normal_cdf(d, x));
}

// A function of double vectors applied to a float vector.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_in_double(D d, V x, bool derivative) {
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(x, d, lanes);
  const hn::CappedTag<double, (hn::MaxLanes(d) > 1 ? hn::MaxLanes(d) / 2 : 1)> wide;
  const hn::Rebind<float, decltype(wide)> narrow;
  for (size_t i = 0; i < hn::Lanes(d); i += hn::Lanes(wide)) {
    const auto v = hn::PromoteTo(wide, hn::LoadU(narrow, lanes + i));
    const auto y = derivative ? gelu_derivative_double(wide, v) : gelu_double(wide, v);
    hn::StoreU(hn::DemoteTo(narrow, y), narrow, lanes + i);
  }
  return hn::Load(d, lanes);
}

template <ActivationKind K, class D, class V = hn::Vec<D>>
HWY_INLINE V activate_vector(D d, V x) {
  if constexpr (K == ActivationKind::relu) return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);
  if constexpr (K == ActivationKind::relu6) return clamp(d, x, 0.0f, 6.0f);
  if constexpr (K == ActivationKind::silu) return hn::Mul(x, logistic(d, x));
  if constexpr (K == ActivationKind::sigmoid) return logistic(d, x);
  if constexpr (K == ActivationKind::hard_swish || K == ActivationKind::hard_sigmoid) {
    const V gate = hn::Mul(clamp(d, hn::Add(x, hn::Set(d, 3.0f)), 0.0f, 6.0f), hn::Set(d, 1.0f / 6.0f));
    return K == ActivationKind::hard_swish ? hn::Mul(x, gate) : gate;
  }
  if constexpr (K == ActivationKind::gelu) return gelu_in_double(d, x, false);
  return x;
}

// From the result v where derivative_from_result(K), else from the argument v.
template <ActivationKind K, class D, class V = hn::Vec<D>>
HWY_INLINE V derivative_vector(D d, V v) {
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0f), three = hn::Set(d, 3.0f);
  if constexpr (K == ActivationKind::relu) return hn::IfThenElseZero(hn::Gt(v, zero), one);
  if constexpr (K == ActivationKind::relu6) return hn::IfThenElseZero(hn::And(hn::Gt(v, zero), hn::Lt(v, hn::Set(d, 6.0f))), one);
  if constexpr (K == ActivationKind::sigmoid) return hn::Mul(v, hn::Sub(one, v));
  if constexpr (K == ActivationKind::silu) {
    // s (1 + v (1 - s)), 1 - s taken from exp(-v) because the difference would cancel.
    const V e = hn::Exp(d, hn::Min(hn::Neg(v), hn::Set(d, 88.0f))), s = hn::Div(one, hn::Add(one, e));
    return hn::Mul(s, hn::MulAdd(v, hn::Mul(e, s), one));
  }
  if constexpr (K == ActivationKind::hard_swish) {
    const V inner = hn::MulAdd(v, hn::Set(d, 1.0f / 3.0f), hn::Set(d, 0.5f));
    return hn::IfThenElse(hn::Le(v, hn::Neg(three)), zero, hn::IfThenElse(hn::Ge(v, three), one, inner));
  }
  if constexpr (K == ActivationKind::hard_sigmoid) return hn::IfThenElseZero(hn::Lt(hn::Abs(v), three), hn::Set(d, 1.0f / 6.0f));
  if constexpr (K == ActivationKind::gelu) return gelu_in_double(d, v, true);
  return one;
}

// Loop<kind>::run(args...) for a kind known at run time.
template <template <ActivationKind> class Loop, class... Args>
HWY_INLINE void by_activation(ActivationKind kind, const Args&... args) {
  switch (kind) {
    case ActivationKind::identity:
      return Loop<ActivationKind::identity>::run(args...);
    case ActivationKind::relu:
      return Loop<ActivationKind::relu>::run(args...);
    case ActivationKind::relu6:
      return Loop<ActivationKind::relu6>::run(args...);
    case ActivationKind::silu:
      return Loop<ActivationKind::silu>::run(args...);
    case ActivationKind::sigmoid:
      return Loop<ActivationKind::sigmoid>::run(args...);
    case ActivationKind::hard_swish:
      return Loop<ActivationKind::hard_swish>::run(args...);
    case ActivationKind::hard_sigmoid:
      return Loop<ActivationKind::hard_sigmoid>::run(args...);
    case ActivationKind::gelu:
      return Loop<ActivationKind::gelu>::run(args...);
  }
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
