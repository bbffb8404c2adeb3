#include "backends/cpu/attention_bf16.h"

#include <cmath>
#include <limits>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/attention_bf16_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/exp-inl.h"
#include "backends/cpu/storage-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

// Numbers that are rounded once more by a product: halves go up, and what is not a number stays so where its lower half is 0, as in all
// that comes from bf16.
HWY_INLINE HWY_ATTR void store_operand(V v, Bf16* to) {
  const hn::RebindToUnsigned<UnitTag> wide;
  const hn::Rebind<uint16_t, UnitTag> half;
  const auto rounded = hn::Add(hn::BitCast(wide, v), hn::Set(wide, 0x8000u));
  hn::StoreU(hn::TruncateTo(half, hn::ShiftRight<16>(rounded)), half, &to->bits);
}

void SoftmaxRows(const simd::SoftmaxRows& s) {
  const UnitTag d;
  const int64_t block = s.blocks.block, count = s.blocks.count, panel = block * block;
  const V scale = hn::Set(d, s.scale);
  for (int64_t row = 0; row < s.rows; ++row) {
    float* const scores = s.scores + row * block;
    float* const last = scores + (count - 1) * panel;
    std::fill(last + s.blocks.rows(count - 1), last + block, -std::numeric_limits<float>::infinity());
    V most = hn::LoadU(d, scores);
    for (int64_t p = 0; p < count; ++p)
      for (int64_t k = 0; k < block; k += kLanes) most = hn::Max(most, hn::LoadU(d, scores + p * panel + k));
    most = hn::MaxOfLanes(d, most);
    const V shift = hn::Mul(most, scale);
    V total = hn::Zero(d);
    for (int64_t p = 0; p < count; ++p) {
      const float* const from = scores + p * panel;
      Bf16* const to = s.exponentials + (row * count + p) * block;
      for (int64_t k = 0; k < block; k += kLanes) {
        const V e = fast_exp(hn::MulSub(hn::LoadU(d, from + k), scale, shift));
        total = hn::Add(total, e);
        store_operand(e, to + k);
      }
    }
    s.sums[row] = hn::GetLane(hn::SumOfLanes(d, total));
    s.log_sums[row] = s.scale * hn::GetLane(most) + std::log(s.sums[row]);
  }
}

void DivideRows(const simd::Blocks& blocks, int64_t rows, const float* from, const float* sums, Bf16* to, int64_t to_stride) {
  const UnitTag d;
  for (int64_t row = 0; row < rows; ++row) {
    const float* const x = from + row * blocks.columns;
    Bf16* const y = to + row * to_stride;
    const V factor = hn::Set(d, 1 / sums[row]);
    int64_t c = 0;
    for (; c + kLanes <= blocks.width; c += kLanes) store(d, hn::Mul(hn::LoadU(d, x + c), factor), y + c);
    const hn::CappedTag<float, 1> one;
    for (; c < blocks.width; ++c) store(one, hn::Set(one, x[c] / sums[row]), y + c);
  }
}

void SoftmaxGradRows(const simd::SoftmaxGradRows& s) {
  const UnitTag d;
  const int64_t block = s.blocks.block, count = s.blocks.count, wide = s.blocks.wide();
  const V scale = hn::Set(d, s.scale);
  for (int64_t row = 0; row < s.rows; ++row)
    for (int64_t p = 0; p < count; ++p) {
      const float *const scores = s.scores + (p * block + row) * block, *const slopes = s.slopes + (p * block + row) * block;
      const float *const log_sums = s.log_sums + p * block, *const means = s.means + p * block;
      Bf16 *const probabilities = s.probabilities + row * wide + p * block, *const results = s.score_slopes + row * wide + p * block;
      for (int64_t k = 0; k < block; k += kLanes) {
        const V e = fast_exp(hn::MulSub(hn::LoadU(d, scores + k), scale, hn::LoadU(d, log_sums + k)));
        store_operand(e, probabilities + k);
        store_operand(hn::Mul(hn::Mul(e, scale), hn::Sub(hn::LoadU(d, slopes + k), hn::LoadU(d, means + k))), results + k);
      }
    }
  // What is no number there would stay so times 0.
  std::fill(s.probabilities + s.rows * wide, s.probabilities + block * wide, Bf16{0});
  std::fill(s.score_slopes + s.rows * wide, s.score_slopes + block * wide, Bf16{0});
}

float Dot(const Bf16* a, const Bf16* b, int64_t n) {
  const UnitTag d;
  V sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sum = hn::MulAdd(load(d, a + i), load(d, b + i), sum);
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  const hn::CappedTag<float, 1> one;
  for (; i < n; ++i) total += hn::GetLane(load(one, a + i)) * hn::GetLane(load(one, b + i));
  return total;
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(SoftmaxRows);
HWY_EXPORT(DivideRows);
HWY_EXPORT(SoftmaxGradRows);
HWY_EXPORT(Dot);
namespace simd {
void softmax_rows(const SoftmaxRows& s) { HWY_DYNAMIC_DISPATCH(SoftmaxRows)(s); }
void divide_rows(const Blocks& blocks, int64_t rows, const float* from, const float* sums, Bf16* to, int64_t to_stride) {
  HWY_DYNAMIC_DISPATCH(DivideRows)(blocks, rows, from, sums, to, to_stride);
}
void softmax_grad_rows(const SoftmaxGradRows& s) { HWY_DYNAMIC_DISPATCH(SoftmaxGradRows)(s); }
float dot(const Bf16* a, const Bf16* b, int64_t n) { return HWY_DYNAMIC_DISPATCH(Dot)(a, b, n); }
}  // namespace simd
}  // namespace fovea::cpu
#endif
