#include "image/augment.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/random.h"
#include "image/channels.h"
#include "image/color.h"
#include "image/fit.h"
#include "image/geometry.h"

namespace fovea::image {
namespace {

// Where each choice finds its numbers in the picture's stream.
enum AugmentPlace : uint64_t {
  place_crop = 0,
  place_flip = 100,
  place_vertical_flip = 101,
  place_order = 200,
  place_factors = 300,
  place_policy = 400,
  place_erasing = 1000
};

double between(const RandomStream& random, uint64_t i, double low, double high) { return low + random.uniform(i) * (high - low); }

RandomStream stream_of(const Draw& draw) {
  return {draw.seed, mix64(mix64(static_cast<uint64_t>(draw.epoch) + 1) + static_cast<uint64_t>(draw.index))};
}

void jitter(Image& image, const Augmentation& a, const RandomStream& random) {
  std::array<int, 4> order{0, 1, 2, 3};
  for (uint64_t i = 3; i > 0; --i) std::swap(order[i], order[random.below(place_order + i, i + 1)]);
  const auto factor = [&](uint64_t i, double strength) {
    return between(random, place_factors + i, std::max(0.0, 1.0 - strength), 1.0 + strength);
  };
  for (int change : order) {
    if (change == 0 && a.brightness > 0) adjust_brightness(image, factor(0, a.brightness));
    if (change == 1 && a.contrast > 0) adjust_contrast(image, factor(1, a.contrast));
    if (change == 2 && a.saturation > 0) adjust_saturation(image, factor(2, a.saturation));
    if (change == 3 && a.hue > 0) adjust_hue(image, between(random, place_factors + 3, -a.hue, a.hue));
  }
}

}  // namespace

void check_augmentation(const Augmentation& a) {
  if (!(a.scale_min > 0) || !(a.scale_min <= a.scale_max) || !(a.scale_max <= 1)) {
    fail(ErrorKind::usage, "random crops of {} to {} of the area; both lie in (0, 1], in order", a.scale_min, a.scale_max);
  }
  constexpr double kLargest = 16;
  if (a.enlarged != 0 && !(a.enlarged >= 1 && a.enlarged <= kLargest))
    fail(ErrorKind::usage, "pictures enlarged {} times before a part is taken; 1 to {} expected", a.enlarged, kLargest);
  if (a.enlarged != 0 && a.random_resized_crop) fail(ErrorKind::usage, "pictures enlarged {} times and random resized crops", a.enlarged);
  if (!(a.ratio_min > 0) || !(a.ratio_min <= a.ratio_max) || !std::isfinite(a.ratio_max)) {
    fail(ErrorKind::usage, "random crops of ratio {} to {}; both are positive, in order", a.ratio_min, a.ratio_max);
  }
  const auto demand_probability = [](const char* name, double value) {
    if (!(value >= 0) || !(value <= 1)) fail(ErrorKind::usage, "{} {} is no probability", name, value);
  };
  demand_probability("flip", a.flip);
  demand_probability("vertical flip", a.vertical_flip);
  demand_probability("erasing", a.erasing.probability);
  for (double strength : {a.brightness, a.contrast, a.saturation, a.hue}) {
    if (!(strength >= 0) || !std::isfinite(strength)) fail(ErrorKind::usage, "color jitter {} is negative", strength);
  }
  if (a.hue > 0.5) fail(ErrorKind::usage, "hue jitter {} is over 0.5", a.hue);
  const PolicyOptions& policy = a.policy;
  if (policy.operations < 0 || policy.operations > 100)
    fail(ErrorKind::usage, "{} operations a picture, 0 to 100 expected", policy.operations);
  if (policy.bins < 2 || policy.magnitude < 0 || policy.magnitude >= policy.bins)
    fail(ErrorKind::usage, "magnitude {} of {} bins; it counts from 0, of 2 bins or more", policy.magnitude, policy.bins);
  const Erasing& e = a.erasing;
  if (!(e.area_min >= 0) || !(e.area_min <= e.area_max) || !(e.area_max <= 1))
    fail(ErrorKind::usage, "erasing {} to {} of the area; both lie in [0, 1], in order", e.area_min, e.area_max);
  if (!(e.ratio_min > 0) || !(e.ratio_min <= e.ratio_max) || !std::isfinite(e.ratio_max))
    fail(ErrorKind::usage, "erasing rectangles of ratio {} to {}; both are positive, in order", e.ratio_min, e.ratio_max);
}

std::string to_string(const Augmentation& a) {
  if (a.own) return "the caller's own";
  const PolicyOptions& p = a.policy;
  return (a.enlarged > 0 ? fmt::format("part of {} times, ", a.enlarged) : "") +
         fmt::format(
             "crop {} area {} to {} ratio {} to {}, flip {}, vertical flip {}, policy {} operations {} magnitude {} of {} {} fill {}, "
             "brightness {}, contrast {}, saturation {}, hue {}, erasing {} area {} to {} ratio {} to {}",
             a.random_resized_crop, a.scale_min, a.scale_max, a.ratio_min, a.ratio_max, a.flip, a.vertical_flip, to_string(p.policy),
             p.operations, p.magnitude, p.bins, to_string(p.sampling.interpolation), fmt::join(p.sampling.fill, "/"), a.brightness,
             a.contrast, a.saturation, a.hue, a.erasing.probability, a.erasing.area_min, a.erasing.area_max, a.erasing.ratio_min,
             a.erasing.ratio_max);
}

// torchvision's RandomResizedCrop: ten tries for an area and a shape that fit, then the largest centred rectangle of an allowed shape.
Window draw_crop(Size size, const Augmentation& a, const Draw& draw) {
  const RandomStream random = stream_of(draw);
  const double area = static_cast<double>(size.width) * static_cast<double>(size.height);
  const double log_min = std::log(a.ratio_min), log_max = std::log(a.ratio_max);
  for (uint64_t attempt = 0; attempt < 10; ++attempt) {
    const uint64_t first = place_crop + 4 * attempt;
    const double target = area * between(random, first, a.scale_min, a.scale_max);
    const double ratio = std::exp(between(random, first + 1, log_min, log_max));
    const int64_t width = round_half_even(std::sqrt(target * ratio)), height = round_half_even(std::sqrt(target / ratio));
    if (width <= 0 || width > size.width || height <= 0 || height > size.height) continue;
    const auto top = static_cast<int64_t>(random.below(first + 2, static_cast<uint64_t>(size.height - height + 1)));
    const auto left = static_cast<int64_t>(random.below(first + 3, static_cast<uint64_t>(size.width - width + 1)));
    return {left, top, width, height};
  }
  const double ratio = static_cast<double>(size.width) / static_cast<double>(size.height);
  Window window{0, 0, size.width, size.height};
  if (ratio < a.ratio_min) window.height = round_half_even(static_cast<double>(size.width) / a.ratio_min);
  if (ratio > a.ratio_max) window.width = round_half_even(static_cast<double>(size.height) * a.ratio_max);
  window.width = std::clamp<int64_t>(window.width, 1, size.width);
  window.height = std::clamp<int64_t>(window.height, 1, size.height);
  window.left = (size.width - window.width) / 2;
  window.top = (size.height - window.height) / 2;
  return window;
}

Image resized_crop(const Image& image, const Window& window, const Preprocessing& p) {
  return by_threes(image, [&](const Image& rgb, int64_t) {
    Image result{p.width, p.height, std::vector<uint8_t>(static_cast<size_t>(3 * p.width * p.height))};
    resize_window(part(view(rgb), window.left, window.top, window.width, window.height), {p.width, p.height}, {0, 0, p.width, p.height},
                  {p.interpolation, p.resizer}, result.pixels.data(), 3 * p.width);
    return result;
  });
}

Size enlarged_size(const Augmentation& a, const Preprocessing& p) {
  return {std::llround(a.enlarged * static_cast<double>(p.width)), std::llround(a.enlarged * static_cast<double>(p.height))};
}

namespace {

Image enlarged_crop(const Image& image, const Augmentation& a, const Preprocessing& p, const Draw& draw) {
  const RandomStream random = stream_of(draw);
  const Size size = enlarged_size(a, p);
  const auto top = static_cast<int64_t>(random.below(place_crop, static_cast<uint64_t>(size.height - p.height + 1)));
  const auto left = static_cast<int64_t>(random.below(place_crop + 1, static_cast<uint64_t>(size.width - p.width + 1)));
  return by_threes(image, [&](const Image& rgb, int64_t) {
    Image result{p.width, p.height, std::vector<uint8_t>(static_cast<size_t>(3 * p.width * p.height))};
    resize_window(view(rgb), size, {left, top, p.width, p.height}, {p.interpolation, p.resizer}, result.pixels.data(), 3 * p.width);
    return result;
  });
}

Image shown(const Image& image, const Augmentation& a, const Preprocessing& p, const Draw& draw) {
  if (a.enlarged > 0) return enlarged_crop(image, a, p, draw);
  return a.random_resized_crop ? resized_crop(image, draw_crop({image.width, image.height}, a, draw), p) : fovea::fit(image, p);
}

}  // namespace

void augment_fitted(Image& fitted, const Augmentation& a, const Draw& draw) {
  const RandomStream random = stream_of(draw);
  if (random.uniform(place_flip) < a.flip) flip_horizontally(fitted);
  if (random.uniform(place_vertical_flip) < a.vertical_flip) flip_vertically(fitted);
  if (fitted.channels != 3) return;
  for (const Change& change : draw_changes(a.policy, {fitted.width, fitted.height}, random, place_policy))
    apply(fitted, change, a.policy.sampling);
  jitter(fitted, a, random);
}

void augment_normalized(std::span<float> pixels, Size size, const Augmentation& a, const Draw& draw) {
  if (a.erasing.probability > 0) erase(pixels, size, draw_erased(a.erasing, size, stream_of(draw), place_erasing));
}

Image augment(const Image& image, const Augmentation& a, const Preprocessing& p, const Draw& draw) {
  check_augmentation(a);
  check_image(image);
  if (a.own) {
    const Image changed = (*a.own)(image, stream_of(draw).bits(0));
    check_image(changed);
    return fovea::fit(changed, p);
  }
  Image result = shown(image, a, p, draw);
  augment_fitted(result, a, draw);
  return result;
}

}  // namespace fovea::image
