#include "image/mix.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/parallel.h"
#include "image/fit.h"

namespace fovea::image {
namespace {

// Where a batch's choices find their numbers.
enum MixPlace : uint64_t { place_kind = 0, place_x = 1, place_y = 2, place_beta = 100 };

// The logarithm of a number from Gamma(alpha, 1), by Marsaglia and Tsang 2000; of alpha below 1 through alpha + 1. Moves `place` on.
double draw_log_gamma(double alpha, const RandomStream& random, uint64_t& place) {
  if (alpha < 1) {
    const double u = 1.0 - random.uniform(place++);  // in (0, 1]
    return draw_log_gamma(alpha + 1, random, place) + std::log(u) / alpha;
  }
  const double d = alpha - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;; place += 4) {
    const double x = random.normal((place + 1) / 2);
    const double v = std::pow(1.0 + c * x, 3);
    const double u = 1.0 - random.uniform(place + 3);
    if (v <= 0 || std::log(u) >= 0.5 * x * x + d - d * v + d * std::log(v)) continue;
    place += 4;
    return std::log(d * v);
  }
}

}  // namespace

Window draw_erased(const Erasing& erasing, Size size, const RandomStream& random, uint64_t place) {
  if (!(random.uniform(place++) < erasing.probability)) return {};
  const auto between = [&](double low, double high) { return low + random.uniform(place++) * (high - low); };
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = between(erasing.area_min, erasing.area_max) * static_cast<double>(size.width * size.height);
    const double ratio = std::exp(between(std::log(erasing.ratio_min), std::log(erasing.ratio_max)));
    const int64_t height = round_half_even(std::sqrt(area * ratio)), width = round_half_even(std::sqrt(area / ratio));
    const uint64_t at = place;
    place += 2;
    if (height >= size.height || width >= size.width) continue;
    const auto top = static_cast<int64_t>(random.below(at, static_cast<uint64_t>(size.height - height + 1)));
    const auto left = static_cast<int64_t>(random.below(at + 1, static_cast<uint64_t>(size.width - width + 1)));
    return {left, top, width, height};
  }
  return {};
}

void erase(std::span<float> pixels, Size size, const Window& window) {
  const size_t channels = pixels.size() / static_cast<size_t>(size.width * size.height);
  for (int64_t y = window.top; y < window.top + window.height; ++y)
    std::fill_n(pixels.data() + static_cast<size_t>(y * size.width + window.left) * channels, static_cast<size_t>(window.width) * channels,
                0.0f);
}

double draw_beta(double alpha, const RandomStream& random, uint64_t place) {
  const double a = draw_log_gamma(alpha, random, place), b = draw_log_gamma(alpha, random, place);
  return 1.0 / (1.0 + std::exp(b - a));
}

Mix draw_mix(const Mixing& mixing, Size size, const BatchDraw& draw) {
  if (!mixing.any()) return {};
  const RandomStream random(
      draw.seed, fnv1a64("mixed batch") + mix64(mix64(static_cast<uint64_t>(draw.epoch) + 1) + static_cast<uint64_t>(draw.batch)));
  const bool by_box = mixing.cutmix > 0 && (mixing.mixup <= 0 || random.uniform(place_kind) < 0.5);
  const double share = draw_beta(by_box ? mixing.cutmix : mixing.mixup, random, place_beta);
  if (!by_box) return {share, false, {}};
  const auto x = random.below(place_x, static_cast<uint64_t>(size.width)), y = random.below(place_y, static_cast<uint64_t>(size.height));
  return mix_by_box(size, share, static_cast<int64_t>(x), static_cast<int64_t>(y));
}

Mix mix_by_box(Size size, double share, int64_t x, int64_t y) {
  const double half = 0.5 * std::sqrt(1.0 - share);
  const auto half_width = static_cast<int64_t>(half * static_cast<double>(size.width));
  const auto half_height = static_cast<int64_t>(half * static_cast<double>(size.height));
  const int64_t left = std::max<int64_t>(x - half_width, 0), right = std::min(x + half_width, size.width);
  const int64_t top = std::max<int64_t>(y - half_height, 0), bottom = std::min(y + half_height, size.height);
  const Window box{left, top, right - left, bottom - top};
  return {1.0 - static_cast<double>(box.width * box.height) / static_cast<double>(size.width * size.height), true, box};
}

namespace {

// Numbers begin..end of every one of `count` rows that lie side by side: from the last row to the first, which takes what the last one was.
class Rows {
 public:
  Rows(std::span<float> all, int64_t count) : all_(all), count_(static_cast<size_t>(count)), length_(all.size() / count_) {}

  size_t length() const { return length_; }

  template <class Change>
  void roll(size_t begin, size_t end, Change change) const {
    std::array<float, 1024> last;
    for (; begin < end; begin += last.size()) {
      const size_t length = std::min(end - begin, last.size());
      std::copy_n(all_.data() + (count_ - 1) * length_ + begin, length, last.data());
      for (size_t n = count_; n-- > 0;) {
        float* own = all_.data() + n * length_ + begin;
        change(own, n == 0 ? last.data() : own - length_, length);
      }
    }
  }

  void blend(size_t begin, size_t end, double share) const {
    const auto kept = static_cast<float>(share), taken = static_cast<float>(1.0 - share);
    roll(begin, end, [&](float* own, const float* other, size_t length) {
      for (size_t i = 0; i < length; ++i) own[i] = other[i] * taken + own[i] * kept;
    });
  }

 private:
  const std::span<float> all_;
  const size_t count_, length_;
};

}  // namespace

void mix_images(std::span<float> images, int64_t count, Size size, const Mix& mix) {
  const Rows rows(images, count);
  if (!mix.by_box) {
    return parallel_for(static_cast<int64_t>(rows.length()), 4096,
                        [&](int64_t begin, int64_t end) { rows.blend(static_cast<size_t>(begin), static_cast<size_t>(end), mix.share); });
  }
  const size_t channels = rows.length() / static_cast<size_t>(size.width * size.height);
  for (int64_t y = mix.box.top; y < mix.box.top + mix.box.height; ++y) {
    const size_t begin = static_cast<size_t>(y * size.width + mix.box.left) * channels;
    rows.roll(begin, begin + static_cast<size_t>(mix.box.width) * channels,
              [](float* own, const float* other, size_t length) { std::copy_n(other, length, own); });
  }
}

void mix_targets(std::span<float> targets, int64_t count, const Mix& mix) {
  const Rows rows(targets, count);
  rows.blend(0, rows.length(), mix.share);
}

}  // namespace fovea::image
