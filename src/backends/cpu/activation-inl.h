// Activations and their derivatives on vectors; included once for every instruction set.
#if defined(FOVEA_CPU_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_CPU_ACTIVATION_INL_H_
#undef FOVEA_CPU_ACTIVATION_INL_H_
#else
#define FOVEA_CPU_ACTIVATION_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <type_traits>

#include "backends/cpu/storage.h"
#include "ops/activation_kind.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// exp(x) within 2 units in the last place for x in [-86, 88], where neither it nor its factors leave float's range; for less it is some
// number below 5e-38, more is not allowed. The polynomial is Cephes'.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_in_range(D d, V x) {
  const hn::RebindToSigned<D> integer;
  const V bounded = hn::Max(x, hn::Set(d, -86.0f)), power = hn::Round(hn::Mul(bounded, hn::Set(d, 1.44269504f)));
  const V r = hn::NegMulAdd(power, hn::Set(d, -2.12194440e-4f), hn::NegMulAdd(power, hn::Set(d, 0.693359375f), bounded));
  V p = hn::Set(d, 1.9875691500e-4f);
  for (const float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 0.5f}) p = hn::MulAdd(p, r, hn::Set(d, c));
  const V near_one = hn::Add(hn::MulAdd(hn::Mul(r, r), p, r), hn::Set(d, 1.0f));
  return hn::BitCast(d, hn::Add(hn::BitCast(integer, near_one), hn::ShiftLeft<23>(hn::ConvertTo(integer, power))));
}

// What is rounded to bf16, eight digits, needs less: functions with kBrief are within 3e-5 of the value (their derivatives of 1), a
// hundredth of a rounding, at about half the cost.
template <class T>
constexpr bool brief() {
  return std::is_same_v<T, Bf16>;
}

// As exp_in_range; a polynomial fitted for the least relative error, 2.6e-6.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V brief_exp_in_range(D d, V x) {
  const hn::RebindToSigned<D> integer;
  const V bounded = hn::Max(x, hn::Set(d, -86.0f)), power = hn::Round(hn::Mul(bounded, hn::Set(d, 1.44269504f)));
  const V r = hn::NegMulAdd(power, hn::Set(d, 0.693147181f), bounded);
  V p = hn::Set(d, 0.04145785f);
  for (const float c : {0.16790821f, 0.50004361f, 0.99996346f, 0.99999926f}) p = hn::MulAdd(p, r, hn::Set(d, c));
  return hn::BitCast(d, hn::Add(hn::BitCast(integer, p), hn::ShiftLeft<23>(hn::ConvertTo(integer, power))));
}
template <bool kBrief, class D, class V = hn::Vec<D>>
HWY_INLINE V exp_for(D d, V x) {
  if constexpr (kBrief) return brief_exp_in_range(d, x);
  return exp_in_range(d, x);
}

// a / b; brief by the processor's estimate and one step of Newton's method.
template <bool kBrief, class D, class V = hn::Vec<D>>
HWY_INLINE V quotient(D d, V a, V b) {
  if constexpr (!kBrief) return hn::Div(a, b);
  const V estimate = hn::ApproximateReciprocal(b);
  return hn::Mul(a, hn::Mul(estimate, hn::NegMulAdd(b, estimate, hn::Set(d, 2.0f))));
}

// 1 / (1 + exp(-x)), within 2 units in the last place; exp's argument stays where it is finite.
template <bool kBrief, class D, class V = hn::Vec<D>>
HWY_INLINE V logistic(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V y = quotient<kBrief>(d, one, hn::Add(one, exp_for<kBrief>(d, hn::Min(hn::Neg(x), hn::Set(d, 88.0f)))));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// Between low and high; what is not a number stays so.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V clamp(D d, V x, float low, float high) {
  const V raised = hn::IfThenElse(hn::Lt(x, hn::Set(d, low)), hn::Set(d, low), x);
  return hn::IfThenElse(hn::Gt(raised, hn::Set(d, high)), hn::Set(d, high), raised);
}

// What lies beyond a = |x| of the normal distribution, Q(a) = erfc(a / sqrt 2) / 2, as bell(a) mills(a): bell(a) = exp(-a^2 / 2) and mills
// varies slowly, so that even the smallest Q keep all their digits. Everything at and past kFarthest is 0 in float.
constexpr float kFarthest = 14.5f;

template <bool kBrief, class D, class V = hn::Vec<D>>
HWY_INLINE V bell(D d, V a) {
  const V half = hn::Set(d, 0.5f), square = hn::Mul(a, a);
  if constexpr (kBrief) return brief_exp_in_range(d, hn::Neg(hn::Mul(half, square)));
  // What rounding took from the square, which exp would make a relative error of up to 50 units. Half of a's digits square exactly, so this
  // needs no fused multiplication.
  const hn::RebindToUnsigned<D> bits;
  const V high = hn::BitCast(d, hn::And(hn::BitCast(bits, a), hn::Set(bits, 0xFFFFF000u)));
  const V lost = hn::MulAdd(hn::Add(a, high), hn::Sub(a, high), hn::Sub(hn::Mul(high, high), square));
  const V rounded = exp_in_range(d, hn::Neg(hn::Mul(half, square)));
  return hn::NegMulAdd(hn::Mul(half, lost), rounded, rounded);
}

// Fitted on [0, kFarthest] for the least relative error (2.6e-8 with these coefficients; brief 2.8e-5); all are positive, so that nothing
// cancels.
template <bool kBrief, class D, class V = hn::Vec<D>>
HWY_INLINE V mills(D d, V a) {
  if constexpr (kBrief) {
    V above = hn::Set(d, 0.06194725f), below = hn::Set(d, 0.15510244f);
    for (const float c : {0.27733671f, 0.5f}) above = hn::MulAdd(above, a, hn::Set(d, c));
    for (const float c : {0.70030737f, 1.35309713f, 1.0f}) below = hn::MulAdd(below, a, hn::Set(d, c));
    return quotient<kBrief>(d, above, below);
  }
  V above = hn::Set(d, 0.00408559945f), below = hn::Set(d, 0.0102409566f);
  for (const float c : {0.0404418011f, 0.182690114f, 0.437594946f, 0.5f}) above = hn::MulAdd(above, a, hn::Set(d, c));
  for (const float c : {0.101379141f, 0.468024889f, 1.2002968f, 1.67307474f, 1.0f}) below = hn::MulAdd(below, a, hn::Set(d, c));
  return hn::Div(above, below);
}

// x Phi(x) = max(x, 0) - |x| Q(|x|). Measured against double on [-12, 12] in steps of 5e-6, on AVX-512 down to SSE4: within 2.4e-7 and
// within 4.9e-7 of the value; the derivative within 1.2e-7.
template <bool kBrief, class D, class V = hn::Vec<D>>
HWY_INLINE V gelu(D d, V x) {
  const V a = clamp(d, hn::Abs(x), 0.0f, kFarthest), zero = hn::Zero(d);
  return hn::NegMulAdd(hn::Mul(a, bell<kBrief>(d, a)), mills<kBrief>(d, a), hn::IfThenElse(hn::Lt(x, zero), zero, x));
}

// Phi(x) + x bell(x) / sqrt(2 pi): what it is for -|x|, or that from 1.
template <bool kBrief, class D, class V = hn::Vec<D>>
HWY_INLINE V gelu_derivative(D d, V x) {
  const V a = clamp(d, hn::Abs(x), 0.0f, kFarthest);
  const V left = hn::Mul(bell<kBrief>(d, a), hn::NegMulAdd(a, hn::Set(d, 0.398942280f), mills<kBrief>(d, a)));
  return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), hn::Sub(hn::Set(d, 1.0f), left), left);
}

// What gelu_tanh takes the sigmoid of.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V tanh_argument(D d, V x) {
  return hn::Mul(x, hn::MulAdd(hn::Mul(x, x), hn::Set(d, 0.0713548163f), hn::Set(d, 1.59576912f)));
}

// The derivative of v sigmoid(u), where u's own is `slope`: s (1 + v slope (1 - s)), 1 - s taken from exp(-u) because the difference would
// cancel.
template <bool kBrief, class D, class V = hn::Vec<D>>
HWY_INLINE V gated_derivative(D d, V v, V u, V slope) {
  const V one = hn::Set(d, 1.0f);
  const V e = exp_for<kBrief>(d, hn::Min(hn::Neg(u), hn::Set(d, 88.0f))), s = quotient<kBrief>(d, one, hn::Add(one, e));
  return hn::Mul(s, hn::MulAdd(hn::Mul(v, slope), hn::Mul(e, s), one));
}

// T: the type that the result will be rounded to.
template <ActivationKind K, class T, class D, class V = hn::Vec<D>>
HWY_INLINE V activate_vector(D d, V x) {
  if constexpr (K == ActivationKind::relu) return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);
  if constexpr (K == ActivationKind::relu6) return clamp(d, x, 0.0f, 6.0f);
  if constexpr (K == ActivationKind::silu) return hn::Mul(x, logistic<brief<T>()>(d, x));
  if constexpr (K == ActivationKind::sigmoid) return logistic<brief<T>()>(d, x);
  if constexpr (K == ActivationKind::hard_swish || K == ActivationKind::hard_sigmoid) {
    const V gate = hn::Mul(clamp(d, hn::Add(x, hn::Set(d, 3.0f)), 0.0f, 6.0f), hn::Set(d, 1.0f / 6.0f));
    return K == ActivationKind::hard_swish ? hn::Mul(x, gate) : gate;
  }
  if constexpr (K == ActivationKind::gelu) return gelu<brief<T>()>(d, x);
  if constexpr (K == ActivationKind::gelu_tanh) return hn::Mul(x, logistic<brief<T>()>(d, tanh_argument(d, x)));
  if constexpr (K == ActivationKind::quick_gelu) return hn::Mul(x, logistic<brief<T>()>(d, hn::Mul(x, hn::Set(d, 1.702f))));
  if constexpr (K == ActivationKind::exp) {
    // As a square, so that what no float holds becomes infinity or 0.
    const V root = exp_for<brief<T>()>(d, hn::Min(hn::Mul(x, hn::Set(d, 0.5f)), hn::Set(d, 88.0f)));
    return hn::IfThenElse(hn::IsNaN(x), x, hn::Mul(root, root));
  }
  return x;
}

// From the result v where derivative_from_result(K), else from the argument v.
template <ActivationKind K, class T, class D, class V = hn::Vec<D>>
HWY_INLINE V derivative_vector(D d, V v) {
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0f), three = hn::Set(d, 3.0f);
  if constexpr (K == ActivationKind::relu) return hn::IfThenElseZero(hn::Gt(v, zero), one);
  if constexpr (K == ActivationKind::relu6) return hn::IfThenElseZero(hn::And(hn::Gt(v, zero), hn::Lt(v, hn::Set(d, 6.0f))), one);
  if constexpr (K == ActivationKind::sigmoid) return hn::Mul(v, hn::Sub(one, v));
  if constexpr (K == ActivationKind::silu) return gated_derivative<brief<T>()>(d, v, v, one);
  if constexpr (K == ActivationKind::hard_swish) {
    const V inner = hn::MulAdd(v, hn::Set(d, 1.0f / 3.0f), hn::Set(d, 0.5f));
    return hn::IfThenElse(hn::Le(v, hn::Neg(three)), zero, hn::IfThenElse(hn::Ge(v, three), one, inner));
  }
  if constexpr (K == ActivationKind::hard_sigmoid) return hn::IfThenElseZero(hn::Lt(hn::Abs(v), three), hn::Set(d, 1.0f / 6.0f));
  if constexpr (K == ActivationKind::gelu) return gelu_derivative<brief<T>()>(d, v);
  if constexpr (K == ActivationKind::gelu_tanh) {
    const V slope = hn::MulAdd(hn::Mul(v, v), hn::Set(d, 0.214064449f), hn::Set(d, 1.59576912f));
    return gated_derivative<brief<T>()>(d, v, tanh_argument(d, v), slope);
  }
  if constexpr (K == ActivationKind::quick_gelu) {
    const V slope = hn::Set(d, 1.702f);
    return gated_derivative<brief<T>()>(d, v, hn::Mul(v, slope), slope);
  }
  if constexpr (K == ActivationKind::exp) return v;
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
    case ActivationKind::gelu_tanh:
      return Loop<ActivationKind::gelu_tanh>::run(args...);
    case ActivationKind::quick_gelu:
      return Loop<ActivationKind::quick_gelu>::run(args...);
    case ActivationKind::exp:
      return Loop<ActivationKind::exp>::run(args...);
  }
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
