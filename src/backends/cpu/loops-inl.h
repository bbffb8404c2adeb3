// Vector loops with tails; included once for every instruction set.
#if defined(FOVEA_CPU_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_CPU_LOOPS_INL_H_
#undef FOVEA_CPU_LOOPS_INL_H_
#else
#define FOVEA_CPU_LOOPS_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Calls body(vector tag, i) for all of [0, n): full vectors, then eights, fours and ones, since channel counts are mostly multiples of 8.
template <class Body>
HWY_INLINE HWY_ATTR void for_each_vector(int64_t n, const Body& body) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 8> eight;
  const hn::CappedTag<float, 4> four;
  const hn::CappedTag<float, 1> one;
  int64_t i = 0;
  for (const int64_t step = hn::Lanes(full); i + step <= n; i += step) body(full, i);
  if constexpr (hn::MaxLanes(full) > 8)
    for (; i + 8 <= n; i += 8) body(eight, i);
  if constexpr (hn::MaxLanes(full) > 4)
    for (; i + 4 <= n; i += 4) body(four, i);
  if constexpr (hn::MaxLanes(full) > 1)
    for (; i < n; ++i) body(one, i);
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
