// Vectors of floats from and to memory of either storage type; included once for every instruction set.
#if defined(FOVEA_CPU_STORAGE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_CPU_STORAGE_INL_H_
#undef FOVEA_CPU_STORAGE_INL_H_
#else
#define FOVEA_CPU_STORAGE_INL_H_
#endif

#include <hwy/highway.h>

#include "backends/cpu/storage.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE HWY_ATTR hn::Vec<D> load(D d, const float* from) {
  return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE HWY_ATTR hn::Vec<D> load(D d, const Bf16* from) {
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<uint16_t, D> half;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, hn::LoadU(half, &from->bits))));
}

template <class D>
HWY_INLINE HWY_ATTR void store(D d, hn::Vec<D> v, float* to) {
  hn::StoreU(v, d, to);
}

// Rounds to nearest, ties to even; what is not a number stays so (Highway's own conversion cuts off).
template <class D>
HWY_INLINE HWY_ATTR void store(D /*d*/, hn::Vec<D> v, Bf16* to) {
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<uint16_t, D> half;
  const auto bits = hn::BitCast(wide, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(wide, 1u));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(wide, 0x7fffu)));
  const auto quiet = hn::Or(bits, hn::Set(wide, 0x400000u));
  const auto kept = hn::IfThenElse(hn::RebindMask(wide, hn::IsNaN(v)), quiet, rounded);
  hn::StoreU(hn::TruncateTo(half, hn::ShiftRight<16>(kept)), half, &to->bits);
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
