#include "backends/cpu/row_norm.h"

#include <algorithm>
#include <cmath>

#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/row_norm_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/loops-inl.h"
#include "backends/cpu/storage-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::cpu::HWY_NAMESPACE {

constexpr int64_t kBlockRows = 64;  // added up in float before they go to the double sums
constexpr int64_t kGroupRows = 4;   // that share what is loaded and stored by channel

using Full = hn::ScalableTag<float>;

// The sum of a row's terms: whole vectors lane by lane, the rest of the row apart.
class RowSum {
 public:
  HWY_INLINE HWY_ATTR RowSum() : lanes_(hn::Zero(Full())) {}
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE HWY_ATTR void add(D d, V v) {
    if constexpr (std::is_same_v<D, Full>) {
      lanes_ = hn::Add(lanes_, v);
    } else {
      rest_ += hn::GetLane(hn::SumOfLanes(d, v));
    }
  }
  HWY_INLINE HWY_ATTR float total() const { return hn::GetLane(hn::SumOfLanes(Full(), lanes_)) + rest_; }

 private:
  hn::Vec<Full> lanes_;
  float rest_ = 0;
};

struct Statistics {
  float mean;   // rounded
  double lost;  // what that took from the mean
  double inv_std;
};

template <class T>
HWY_INLINE HWY_ATTR Statistics row_statistics(const T* x, int64_t channels, double eps) {
  RowSum sum;
  for_each_vector(channels, [&sum, x](auto d, int64_t c) HWY_ATTR { sum.add(d, load(d, x + c)); });
  const auto count = static_cast<double>(channels);
  const auto mean = static_cast<float>(sum.total() / count);
  RowSum first, second;  // about the mean, so that nothing cancels
  for_each_vector(channels, [&first, &second, x, mean](auto d, int64_t c) HWY_ATTR {
    const auto v = hn::Sub(load(d, x + c), hn::Set(d, mean));
    first.add(d, v);
    second.add(d, hn::Mul(v, v));
  });
  const double lost = first.total() / count;
  return {mean, lost, 1 / std::sqrt(std::max(0.0, second.total() / count - lost * lost) + eps)};
}

template <class T>
HWY_INLINE HWY_ATTR Statistics root_mean_square(const T* x, int64_t channels, double eps) {
  RowSum square;
  for_each_vector(channels, [&square, x](auto d, int64_t c) HWY_ATTR {
    const auto v = load(d, x + c);
    square.add(d, hn::Mul(v, v));
  });
  return {0, 0, 1 / std::sqrt(square.total() / static_cast<double>(channels) + eps)};
}

template <class T>
void normalize_each_row(const simd::RowNorm& p, int64_t row, int64_t rows, int64_t channels) {
  for (const int64_t end = row + rows; row < end; ++row) {
    const T* const x = p.x.as<T>() + row * p.x_stride;
    const Statistics of = p.centered ? row_statistics(x, channels, p.eps) : root_mean_square(x, channels, p.eps);
    if (p.mean) p.mean[row * p.mean_stride] = static_cast<float>(of.mean + of.lost);
    if (p.inv_std) p.inv_std[row * p.inv_std_stride] = static_cast<float>(of.inv_std);
    if (!p.y) continue;
    T* const y = p.y.as<T>() + row * p.y_stride;
    const float mean = of.mean, scale = static_cast<float>(of.inv_std), offset = static_cast<float>(of.lost * of.inv_std);
    const float *const gamma = p.gamma, *const beta = p.beta;
    for_each_vector(channels, [=](auto d, int64_t c) HWY_ATTR {
      auto v = hn::MulSub(hn::Sub(load(d, x + c), hn::Set(d, mean)), hn::Set(d, scale), hn::Set(d, offset));
      if (gamma) v = hn::MulAdd(v, hn::LoadU(d, gamma + c), beta ? hn::LoadU(d, beta + c) : hn::Zero(d));
      store(d, v, y + c);
    });
  }
}
void NormalizeEachRow(const simd::RowNorm& p, int64_t row, int64_t rows, int64_t channels) {
  p.x.bf16 ? normalize_each_row<Bf16>(p, row, rows, channels) : normalize_each_row<float>(p, row, rows, channels);
}

// Rows whose sums are made together.
template <int64_t kRows, class T>
struct Group {
  const T *dy[kRows], *x[kRows];
  float mean[kRows], inv_std[kRows];
  RowSum slope[kRows], product[kRows];  // of dy gamma, dy gamma n

  HWY_INLINE HWY_ATTR Group(const simd::RowNormGrad& p, int64_t row) {
    for (int64_t k = 0; k < kRows; ++k) {
      dy[k] = p.dy.as<T>() + (row + k) * p.dy_stride;
      x[k] = p.x.as<T>() + (row + k) * p.x_stride;
      mean[k] = p.mean ? p.mean[(row + k) * p.mean_stride] : 0;
      inv_std[k] = p.inv_std[(row + k) * p.inv_std_stride];
    }
  }
  template <class D>
  HWY_INLINE HWY_ATTR hn::Vec<D> normalized(D d, int64_t k, int64_t c) const {
    return hn::Mul(hn::Sub(load(d, x[k] + c), hn::Set(d, mean[k])), hn::Set(d, inv_std[k]));
  }
};

template <int64_t kRows, class T>
HWY_INLINE HWY_ATTR void grad_group(const simd::RowNormGrad& p, int64_t row, int64_t channels, float* first, float* second) {
  Group<kRows, T> group(p, row);
  const float* const gamma = p.gamma;
  for_each_vector(channels, [&group, gamma, first, second](auto d, int64_t c) HWY_ATTR {
    const auto scale = gamma ? hn::LoadU(d, gamma + c) : hn::Set(d, 1.0f);
    auto sum = hn::Zero(d), product = hn::Zero(d);
    for (int64_t k = 0; k < kRows; ++k) {
      const auto dy = load(d, group.dy[k] + c), n = group.normalized(d, k, c), slope = hn::Mul(dy, scale);
      group.slope[k].add(d, slope);
      group.product[k].add(d, hn::Mul(slope, n));
      sum = hn::Add(sum, dy);
      product = hn::MulAdd(dy, n, product);
    }
    if (!first) return;
    hn::StoreU(hn::Add(hn::LoadU(d, first + c), sum), d, first + c);
    hn::StoreU(hn::Add(hn::LoadU(d, second + c), product), d, second + c);
  });
  if (!p.dx) return;
  for (int64_t k = 0; k < kRows; ++k) {
    T* const dx = p.dx.as<T>() + (row + k) * p.dx_stride;
    const auto count = static_cast<float>(channels);
    const float slope = p.mean ? group.slope[k].total() / count : 0, product = group.product[k].total() / count;
    for_each_vector(channels, [&group, k, gamma, slope, product, dx](auto d, int64_t c) HWY_ATTR {
      auto v = load(d, group.dy[k] + c);
      if (gamma) v = hn::Mul(v, hn::LoadU(d, gamma + c));
      v = hn::NegMulAdd(group.normalized(d, k, c), hn::Set(d, product), hn::Sub(v, hn::Set(d, slope)));
      store(d, hn::Mul(v, hn::Set(d, group.inv_std[k])), dx + c);
    });
  }
}

template <class T>
void grad_of_each_row(const simd::RowNormGrad& pass, int64_t row, int64_t rows, int64_t channels, const simd::ColumnSums& sums) {
  float* const first = sums.first ? sums.scratch : nullptr;
  float* const second = sums.first ? sums.scratch + channels : nullptr;
  for (const int64_t end = row + rows; row < end;) {
    if (first) std::fill(first, second + channels, 0.0f);
    const int64_t stop = std::min(end, row + kBlockRows);
    for (; row + kGroupRows <= stop; row += kGroupRows) grad_group<kGroupRows, T>(pass, row, channels, first, second);
    for (; row < stop; ++row) grad_group<1, T>(pass, row, channels, first, second);
    for (int64_t c = 0; first && c < channels; ++c) {
      sums.first[c] += first[c];
      sums.second[c] += second[c];
    }
  }
}
void GradOfEachRow(const simd::RowNormGrad& pass, int64_t row, int64_t rows, int64_t channels, const simd::ColumnSums& sums) {
  pass.x.bf16 ? grad_of_each_row<Bf16>(pass, row, rows, channels, sums) : grad_of_each_row<float>(pass, row, rows, channels, sums);
}

}  // namespace fovea::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::cpu {
HWY_EXPORT(NormalizeEachRow);
HWY_EXPORT(GradOfEachRow);

namespace simd {
void row_norm(const RowNorm& pass, int64_t row, int64_t rows, int64_t channels) {
  HWY_DYNAMIC_DISPATCH(NormalizeEachRow)(pass, row, rows, channels);
}
void row_norm_grad(const RowNormGrad& pass, int64_t row, int64_t rows, int64_t channels, const ColumnSums& sums) {
  HWY_DYNAMIC_DISPATCH(GradOfEachRow)(pass, row, rows, channels, sums);
}
}  // namespace simd
}  // namespace fovea::cpu
#endif
