#include "backends/cpu/attention.h"

#include <cmath>
#include <limits>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/attention_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/exp-inl.h"
#include "backends/cpu/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

float scale_of(const simd::HeadSize& size) { return static_cast<float>(1 / std::sqrt(static_cast<double>(size.width))); }

// Row by row: exp(x - the row's largest) in place of x; the largest and the sum of the exponentials.
HWY_INLINE HWY_ATTR void exponentials(float* row, int64_t tokens, int64_t wide, float* largest, float* sum) {
  const UnitTag d;
  std::fill(row + tokens, row + wide, -std::numeric_limits<float>::infinity());
  V most = hn::LoadU(d, row);
  for (int64_t k = kLanes; k < wide; k += kLanes) most = hn::Max(most, hn::LoadU(d, row + k));
  most = hn::MaxOfLanes(d, most);
  V total = hn::Zero(d);
  for (int64_t k = 0; k < wide; k += kLanes) {
    const V e = fast_exp(hn::Sub(hn::LoadU(d, row + k), most));
    total = hn::Add(total, e);
    hn::StoreU(e, d, row + k);
  }
  *largest = hn::GetLane(most);
  *sum = hn::GetLane(hn::SumOfLanes(d, total));
}

void AttentionPack(const simd::HeadSize& size, const simd::HeadRows& keys, const simd::HeadRows& values,
                   const simd::ForwardScratch& scratch) {
  pack_transposed(keys, size.tokens, size.width, scratch.keys);
  if (values.data) copy_padded(values, size.tokens, size.value_width, 1, scratch.values, size.tokens, size.value_columns());
}

// The block's exponentials into scratch.scores; calls done(row, largest, sum) for each query.
template <class Done>
HWY_INLINE HWY_ATTR void score_block(const simd::ForwardBlock& b, const simd::ForwardScratch& scratch, const Done& done) {
  const int64_t rows = simd::padded_rows(b.rows), columns = b.size.columns(), wide = b.size.wide();
  const simd::HeadRows queries{b.queries.data + b.first * b.queries.stride, b.queries.stride};
  copy_padded(queries, b.rows, b.size.width, scale_of(b.size), scratch.queries, rows, columns);
  product<false>({rows, wide, b.size.width, scratch.queries, columns, scratch.keys, 0, scratch.scores, wide});
  for (int64_t row = 0; row < b.rows; ++row) {
    float largest, sum;
    exponentials(scratch.scores + row * wide, b.size.tokens, wide, &largest, &sum);
    done(row, largest, sum);
  }
}

HWY_INLINE HWY_ATTR void scaled_copy(const float* from, int64_t n, float scale, float* to) {
  const UnitTag d;
  const V factor = hn::Set(d, scale);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) hn::StoreU(hn::Mul(hn::LoadU(d, from + i), factor), d, to + i);
  for (; i < n; ++i) to[i] = from[i] * scale;
}

void AttentionForward(const simd::ForwardBlock& b, const simd::ForwardScratch& scratch) {
  const int64_t columns = b.size.value_columns(), wide = b.size.wide();
  float* const sums = scratch.queries;  // the queries have been read when the sums are known
  score_block(b, scratch, [&](int64_t row, float largest, float sum) HWY_ATTR {
    sums[row] = sum;
    if (b.log_sum) b.log_sum[(b.first + row) * b.log_sum_stride] = largest + std::log(sum);
  });
  if (!b.y) return;
  product<false>(
      {simd::padded_rows(b.rows), columns, b.size.tokens, scratch.scores, wide, scratch.values, columns, scratch.results, columns});
  for (int64_t row = 0; row < b.rows; ++row)
    scaled_copy(scratch.results + row * columns, b.size.value_width, 1 / sums[row], b.y + (b.first + row) * b.y_stride);
}

void AttentionProbabilities(const simd::ForwardBlock& b, const simd::ForwardScratch& scratch) {
  score_block(b, scratch, [&](int64_t row, float, float sum) HWY_ATTR {
    float* const p = scratch.scores + row * b.size.wide();
    scaled_copy(p, b.size.tokens, 1 / sum, p);
  });
}

void AttentionGradPack(const simd::HeadSize& size, const simd::HeadRows& keys, const simd::HeadRows& values,
                       const simd::BackwardScratch& scratch) {
  pack_transposed(keys, size.tokens, size.width, scratch.keys_transposed);
  pack_transposed(values, size.tokens, size.value_width, scratch.values_transposed);
  copy_padded(keys, size.tokens, size.width, 1, scratch.keys, size.tokens, size.columns());
}

// Of a query: probabilities in place of the scores, and the scores' gradient in place of the probabilities'.
HWY_INLINE HWY_ATTR void softmax_grad(float* scores, float* slopes, int64_t wide, float log_sum, float mean) {
  const UnitTag d;
  const V shift = hn::Set(d, log_sum), center = hn::Set(d, mean);
  for (int64_t k = 0; k < wide; k += kLanes) {
    const V p = fast_exp(hn::Sub(hn::LoadU(d, scores + k), shift));
    hn::StoreU(p, d, scores + k);
    hn::StoreU(hn::Mul(p, hn::Sub(hn::LoadU(d, slopes + k), center)), d, slopes + k);
  }
}

HWY_INLINE HWY_ATTR float dot(const float* a, const float* b, int64_t n) {
  const UnitTag d;
  V sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sum = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum);
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

void AttentionGrad(const simd::BackwardBlock& b, const simd::BackwardScratch& s) {
  const auto& [tokens, width, value_width, most_rows] = b.size;
  const int64_t rows = simd::padded_rows(b.rows), columns = b.size.columns(), value_columns = b.size.value_columns(), wide = b.size.wide();
  const auto from_first = [&](const simd::HeadRows& all) { return simd::HeadRows{all.data + b.first * all.stride, all.stride}; };
  const simd::HeadRows dy = from_first(b.dy), y = from_first(b.y), log_sum = from_first(b.log_sum);
  const float scale = scale_of(b.size);
  copy_padded(from_first(b.queries), b.rows, width, scale, s.queries, rows, columns);
  copy_padded(dy, b.rows, value_width, 1, s.slopes, rows, value_columns);
  product<false>({rows, wide, width, s.queries, columns, s.keys_transposed, 0, s.scores, wide});
  product<false>({rows, wide, value_width, s.slopes, value_columns, s.values_transposed, 0, s.score_slopes, wide});
  for (int64_t row = 0; row < b.rows; ++row)
    softmax_grad(s.scores + row * wide, s.score_slopes + row * wide, wide, log_sum.data[row * log_sum.stride],
                 dot(dy.data + row * dy.stride, y.data + row * y.stride, value_width));
  product<false>({rows, columns, tokens, s.score_slopes, wide, s.keys, columns, s.results, columns});
  for (int64_t row = 0; b.dqueries && row < b.rows; ++row)
    scaled_copy(s.results + row * columns, width, scale, b.dqueries + (b.first + row) * b.dqueries_stride);
  const int64_t keys = simd::padded_rows(tokens);
  product<true>({keys, value_columns, b.rows, s.scores, wide, s.slopes, value_columns, s.dvalues, value_columns, b.add});
  product<true>({keys, columns, b.rows, s.score_slopes, wide, s.queries, columns, s.dkeys, columns, b.add});
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(AttentionPack);
HWY_EXPORT(AttentionForward);
HWY_EXPORT(AttentionProbabilities);
HWY_EXPORT(AttentionGradPack);
HWY_EXPORT(AttentionGrad);
namespace simd {
void attention_pack(const HeadSize& size, const HeadRows& keys, const HeadRows& values, const ForwardScratch& scratch) {
  HWY_DYNAMIC_DISPATCH(AttentionPack)(size, keys, values, scratch);
}
void attention_forward(const ForwardBlock& block, const ForwardScratch& scratch) { HWY_DYNAMIC_DISPATCH(AttentionForward)(block, scratch); }
void attention_probabilities(const ForwardBlock& block, const ForwardScratch& scratch) {
  HWY_DYNAMIC_DISPATCH(AttentionProbabilities)(block, scratch);
}
void attention_grad_pack(const HeadSize& size, const HeadRows& keys, const HeadRows& values, const BackwardScratch& scratch) {
  HWY_DYNAMIC_DISPATCH(AttentionGradPack)(size, keys, values, scratch);
}
void attention_grad(const BackwardBlock& block, const BackwardScratch& scratch) { HWY_DYNAMIC_DISPATCH(AttentionGrad)(block, scratch); }
}  // namespace simd
}  // namespace fovea::cpu
#endif
