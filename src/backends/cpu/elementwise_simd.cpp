#include "backends/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/elementwise_simd.cpp"
#define HWY_DISABLED_TARGETS HWY_SSSE3  // too like SSE4 to pay for its compile time
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/activation-inl.h"
#include "backends/cpu/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

template <ActivationKind K>
struct ActivateLoop {
  static void run(const float* x, float* y, int64_t n) {
    for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR { hn::StoreU(activate_vector<K>(d, hn::LoadU(d, x + i)), d, y + i); });
  }
};
void Activate(ActivationKind kind, const float* x, float* y, int64_t n) { by_activation<ActivateLoop>(kind, x, y, n); }

template <ActivationKind K>
struct ActivationGradLoop {
  static void run(const float* dy, const float* v, float* dx, int64_t n) {
    for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR {
      hn::StoreU(hn::Mul(hn::LoadU(d, dy + i), derivative_vector<K>(d, hn::LoadU(d, v + i))), d, dx + i);
    });
  }
};
void ActivationGradient(ActivationKind kind, const float* dy, const float* v, float* dx, int64_t n) {
  by_activation<ActivationGradLoop>(kind, dy, v, dx, n);
}

template <simd::Binary K, class D, class V = hn::Vec<D>>
HWY_INLINE V binary_vector(D, V a, V b) {
  return K == simd::Binary::add ? hn::Add(a, b) : hn::Mul(a, b);
}
template <simd::Binary K>
void binary_loop(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n) {
  if (a_step == 0) {  // both operations are commutative
    std::swap(a, b);
    std::swap(a_step, b_step);
  }
  if (b_step == 0) {
    const float a0 = *a, b0 = *b;
    if (a_step == 0) {
      for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR { hn::StoreU(binary_vector<K>(d, hn::Set(d, a0), hn::Set(d, b0)), d, y + i); });
    } else {
      for_each_vector(n,
                      [=](auto d, int64_t i) HWY_ATTR { hn::StoreU(binary_vector<K>(d, hn::LoadU(d, a + i), hn::Set(d, b0)), d, y + i); });
    }
    return;
  }
  for_each_vector(n,
                  [=](auto d, int64_t i) HWY_ATTR { hn::StoreU(binary_vector<K>(d, hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i); });
}
void BinaryLoop(simd::Binary op, const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n) {
  op == simd::Binary::add ? binary_loop<simd::Binary::add>(a, a_step, b, b_step, y, n)
                          : binary_loop<simd::Binary::multiply>(a, a_step, b, b_step, y, n);
}

void MaxStart(const float* x, int32_t index, float* best, int32_t* where, int64_t n) {
  for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR {
    const hn::RebindToSigned<decltype(d)> di;
    hn::StoreU(hn::LoadU(d, x + i), d, best + i);
    hn::StoreU(hn::Set(di, index), di, where + i);
  });
}
void MaxUpdate(const float* x, int32_t index, float* best, int32_t* where, int64_t n) {
  for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR {
    const hn::RebindToSigned<decltype(d)> di;
    const auto v = hn::LoadU(d, x + i), b = hn::LoadU(d, best + i);
    const auto take = hn::Or(hn::Gt(v, b), hn::IsNaN(v));
    hn::StoreU(hn::IfThenElse(take, v, b), d, best + i);
    hn::StoreU(hn::IfThenElse(hn::RebindMask(di, take), hn::Set(di, index), hn::LoadU(di, where + i)), di, where + i);
  });
}
void AddWhere(const float* dy, const int32_t* where, int32_t index, float* dx, int64_t n) {
  for_each_vector(n, [=](auto d, int64_t i) HWY_ATTR {
    const hn::RebindToSigned<decltype(d)> di;
    const auto mask = hn::RebindMask(d, hn::Eq(hn::LoadU(di, where + i), hn::Set(di, index)));
    hn::StoreU(hn::Add(hn::LoadU(d, dx + i), hn::IfThenElseZero(mask, hn::LoadU(d, dy + i))), d, dx + i);
  });
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
HWY_EXPORT(BinaryLoop);
HWY_EXPORT(MaxStart);
HWY_EXPORT(MaxUpdate);
HWY_EXPORT(AddWhere);
HWY_EXPORT(SgdLoop);
HWY_EXPORT(AdamWLoop);
HWY_EXPORT(RmspropLoop);
HWY_EXPORT(AccumulateLoop);

namespace simd {
void activate(ActivationKind kind, const float* x, float* y, int64_t n) { HWY_DYNAMIC_DISPATCH(Activate)(kind, x, y, n); }
void activation_grad(ActivationKind kind, const float* dy, const float* x_or_y, float* dx, int64_t n) {
  HWY_DYNAMIC_DISPATCH(ActivationGradient)(kind, dy, x_or_y, dx, n);
}
void binary(Binary op, const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n) {
  HWY_DYNAMIC_DISPATCH(BinaryLoop)(op, a, a_step, b, b_step, y, n);
}
void max_start(const float* x, int32_t index, float* best, int32_t* where, int64_t n) {
  HWY_DYNAMIC_DISPATCH(MaxStart)(x, index, best, where, n);
}
void max_update(const float* x, int32_t index, float* best, int32_t* where, int64_t n) {
  HWY_DYNAMIC_DISPATCH(MaxUpdate)(x, index, best, where, n);
}
void add_where(const float* dy, const int32_t* where, int32_t index, float* dx, int64_t n) {
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
