// The exponential function of attention's softmax; included once for every instruction set.
#if defined(FOVEA_CPU_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_CPU_EXP_INL_H_
#undef FOVEA_CPU_EXP_INL_H_
#else
#define FOVEA_CPU_EXP_INL_H_
#endif

#include <hwy/highway.h>

#include "backends/cpu/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

using V = hn::Vec<UnitTag>;

// exp(x) for x <= 88, with a relative error below 3e-7; what is below -87 counts as -87.
HWY_INLINE HWY_ATTR V fast_exp(V x) {
  const UnitTag d;
  const hn::RebindToSigned<UnitTag> integers;
  x = hn::IfThenElse(hn::Lt(x, hn::Set(d, -87.0f)), hn::Set(d, -87.0f), x);  // keeps what is not a number
  // The sum's last bits are the integer nearest to x / ln 2.
  const V shifter = hn::Set(d, 12582912.0f), shifted = hn::MulAdd(x, hn::Set(d, 1.44269504f), shifter);
  const V r = hn::NegMulAdd(hn::Sub(shifted, shifter), hn::Set(d, 0.693147181f), x);
  // Taylor's series: |r| <= ln 2 / 2.
  V y = hn::Set(d, 1.0f / 720);
  y = hn::MulAdd(y, r, hn::Set(d, 1.0f / 120));
  y = hn::MulAdd(y, r, hn::Set(d, 1.0f / 24));
  y = hn::MulAdd(y, r, hn::Set(d, 1.0f / 6));
  y = hn::MulAdd(y, r, hn::Set(d, 0.5f));
  y = hn::MulAdd(y, r, hn::Set(d, 1.0f));
  y = hn::MulAdd(y, r, hn::Set(d, 1.0f));
  const auto exponent = hn::Add(hn::ShiftLeft<23>(hn::BitCast(integers, shifted)), hn::Set(integers, 127 << 23));
  return hn::Mul(y, hn::BitCast(d, exponent));
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
