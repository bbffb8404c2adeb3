#include "image/policy.h"

#include <algorithm>
#include <cmath>

#include "image/color.h"

namespace fovea::image {
namespace {

using enum Operation;

constexpr Operation kOperations[] = {identity, shear_x,  shear_y,   translate_x, translate_y, rotate,        brightness,
                                     color,    contrast, sharpness, posterize,   solarize,    auto_contrast, equalize};

constexpr Pair kImageNet[] = {
    {{{posterize, 0.4, 8}, {rotate, 0.6, 9}}},  {{{solarize, 0.6, 5}, {auto_contrast, 0.6, 0}}},
    {{{equalize, 0.8, 0}, {equalize, 0.6, 0}}}, {{{posterize, 0.6, 7}, {posterize, 0.6, 6}}},
    {{{equalize, 0.4, 0}, {solarize, 0.2, 4}}}, {{{equalize, 0.4, 0}, {rotate, 0.8, 8}}},
    {{{solarize, 0.6, 3}, {equalize, 0.6, 0}}}, {{{posterize, 0.8, 5}, {equalize, 1.0, 0}}},
    {{{rotate, 0.2, 3}, {solarize, 0.6, 8}}},   {{{equalize, 0.6, 0}, {posterize, 0.4, 6}}},
    {{{rotate, 0.8, 8}, {color, 0.4, 0}}},      {{{rotate, 0.4, 9}, {equalize, 0.6, 0}}},
    {{{equalize, 0.0, 0}, {equalize, 0.8, 0}}}, {{{invert, 0.6, 0}, {equalize, 1.0, 0}}},
    {{{color, 0.6, 4}, {contrast, 1.0, 8}}},    {{{rotate, 0.8, 8}, {color, 1.0, 2}}},
    {{{color, 0.8, 8}, {solarize, 0.8, 7}}},    {{{sharpness, 0.4, 7}, {invert, 0.6, 0}}},
    {{{shear_x, 0.6, 5}, {equalize, 1.0, 0}}},  {{{color, 0.4, 0}, {equalize, 0.6, 0}}},
    {{{equalize, 0.4, 0}, {solarize, 0.2, 4}}}, {{{solarize, 0.6, 5}, {auto_contrast, 0.6, 0}}},
    {{{invert, 0.6, 0}, {equalize, 1.0, 0}}},   {{{color, 0.6, 4}, {contrast, 1.0, 8}}},
    {{{equalize, 0.8, 0}, {equalize, 0.6, 0}}},
};
constexpr Pair kCifar10[] = {
    {{{invert, 0.1, 0}, {contrast, 0.2, 6}}},           {{{rotate, 0.7, 2}, {translate_x, 0.3, 9}}},
    {{{sharpness, 0.8, 1}, {sharpness, 0.9, 3}}},       {{{shear_y, 0.5, 8}, {translate_y, 0.7, 9}}},
    {{{auto_contrast, 0.5, 0}, {equalize, 0.9, 0}}},    {{{shear_y, 0.2, 7}, {posterize, 0.3, 7}}},
    {{{color, 0.4, 3}, {brightness, 0.6, 7}}},          {{{sharpness, 0.3, 9}, {brightness, 0.7, 9}}},
    {{{equalize, 0.6, 0}, {equalize, 0.5, 0}}},         {{{contrast, 0.6, 7}, {sharpness, 0.6, 5}}},
    {{{color, 0.7, 7}, {translate_x, 0.5, 8}}},         {{{equalize, 0.3, 0}, {auto_contrast, 0.4, 0}}},
    {{{translate_y, 0.4, 3}, {sharpness, 0.2, 6}}},     {{{brightness, 0.9, 6}, {color, 0.2, 8}}},
    {{{solarize, 0.5, 2}, {invert, 0.0, 0}}},           {{{equalize, 0.2, 0}, {auto_contrast, 0.6, 0}}},
    {{{equalize, 0.2, 0}, {equalize, 0.6, 0}}},         {{{color, 0.9, 9}, {equalize, 0.6, 0}}},
    {{{auto_contrast, 0.8, 0}, {solarize, 0.2, 8}}},    {{{brightness, 0.1, 3}, {color, 0.7, 0}}},
    {{{solarize, 0.4, 5}, {auto_contrast, 0.9, 0}}},    {{{translate_y, 0.9, 9}, {translate_y, 0.7, 9}}},
    {{{auto_contrast, 0.9, 0}, {solarize, 0.8, 3}}},    {{{equalize, 0.8, 0}, {invert, 0.1, 0}}},
    {{{translate_y, 0.7, 9}, {auto_contrast, 0.9, 0}}},
};
constexpr Pair kSvhn[] = {
    {{{shear_x, 0.9, 4}, {invert, 0.2, 0}}},       {{{shear_y, 0.9, 8}, {invert, 0.7, 0}}},
    {{{equalize, 0.6, 0}, {solarize, 0.6, 6}}},    {{{invert, 0.9, 0}, {equalize, 0.6, 0}}},
    {{{equalize, 0.6, 0}, {rotate, 0.9, 3}}},      {{{shear_x, 0.9, 4}, {auto_contrast, 0.8, 0}}},
    {{{shear_y, 0.9, 8}, {invert, 0.4, 0}}},       {{{shear_y, 0.9, 5}, {solarize, 0.2, 6}}},
    {{{invert, 0.9, 0}, {auto_contrast, 0.8, 0}}}, {{{equalize, 0.6, 0}, {rotate, 0.9, 3}}},
    {{{shear_x, 0.9, 4}, {solarize, 0.3, 3}}},     {{{shear_y, 0.8, 8}, {invert, 0.7, 0}}},
    {{{equalize, 0.9, 0}, {translate_y, 0.6, 6}}}, {{{invert, 0.9, 0}, {equalize, 0.6, 0}}},
    {{{contrast, 0.3, 3}, {rotate, 0.8, 4}}},      {{{invert, 0.8, 0}, {translate_y, 0.0, 2}}},
    {{{shear_y, 0.7, 6}, {solarize, 0.4, 8}}},     {{{invert, 0.6, 0}, {rotate, 0.8, 4}}},
    {{{shear_y, 0.3, 7}, {translate_x, 0.9, 3}}},  {{{shear_x, 0.1, 6}, {invert, 0.6, 0}}},
    {{{solarize, 0.7, 2}, {translate_y, 0.6, 7}}}, {{{shear_y, 0.8, 4}, {invert, 0.8, 0}}},
    {{{shear_x, 0.7, 9}, {translate_y, 0.8, 3}}},  {{{shear_y, 0.8, 5}, {auto_contrast, 0.7, 0}}},
    {{{shear_x, 0.7, 2}, {invert, 0.1, 0}}},
};

// torch.linspace from 0 or to it, in float as there.
double linspace(float start, float end, int bin, int bins) {
  const float step = (end - start) / static_cast<float>(bins - 1);
  if (bin < bins / 2) return static_cast<double>(start + step * static_cast<float>(bin));
  return static_cast<double>(end - step * static_cast<float>(bins - bin - 1));
}

bool is_wide(Policy policy) { return policy == Policy::trivialaugment; }

// The largest magnitude of what grows from 0.
double largest(Policy policy, Operation operation, Size size) {
  const bool wide = is_wide(policy);
  constexpr double share = 150.0 / 331.0;  // of AutoAugment's pictures
  switch (operation) {
    case shear_x:
    case shear_y:
      return wide ? 0.99 : 0.3;
    case translate_x:
      return wide ? 32.0 : share * static_cast<double>(size.width);
    case translate_y:
      return wide ? 32.0 : share * static_cast<double>(size.height);
    case rotate:
      return wide ? 135.0 : 30.0;
    default:
      return wide ? 0.99 : 0.9;
  }
}

class Drawing {
 public:
  Drawing(const PolicyOptions& options, Size size, const RandomStream& random, uint64_t place)
      : options_(options), size_(size), random_(random), place_(place) {}

  // One of the policy's operations, in the bin or any one where it is below 0. Each takes four numbers, used or not.
  Change any(int bin) {
    const auto operations = operations_of(options_.policy);
    const Operation operation = operations[random_.below(place_++, operations.size())];
    const auto drawn = static_cast<int>(random_.below(place_++, static_cast<uint64_t>(options_.bins)));
    const Change change = with_sign(operation, bin < 0 ? drawn : bin, options_.bins);
    ++place_;
    return change;
  }

  std::vector<Change> pair() {
    const auto pairs = pairs_of(options_.policy);
    std::vector<Change> changes;
    for (const Likely& likely : pairs[random_.below(place_++, pairs.size())]) {
      const bool happens = random_.uniform(place_++) < likely.probability;
      const Change change = with_sign(likely.operation, likely.bin, kPairBins);
      if (happens) changes.push_back(change);
    }
    return changes;
  }

 private:
  static constexpr int kPairBins = 10;

  Change with_sign(Operation operation, int bin, int bins) {
    const bool negative = random_.uniform(place_++) < 0.5;
    const double magnitude = magnitude_of(options_.policy, operation, bin, bins, size_).value_or(0);
    return {operation, is_signed(operation) && negative ? -magnitude : magnitude};
  }

  const PolicyOptions& options_;
  const Size size_;
  const RandomStream& random_;
  uint64_t place_;
};

}  // namespace

const char* to_string(Policy policy) { return name_of(kPolicies, policy); }

void apply(Image& image, const Change& change, const Sampling& sampling) {
  const double m = change.magnitude;
  switch (change.operation) {
    case identity:
      break;
    case shear_x:
      image = transform(image, sheared_x(m), sampling);
      break;
    case shear_y:
      image = transform(image, sheared_y(m), sampling);
      break;
    case translate_x:
      image = transform(image, translated(std::trunc(m), 0), sampling);
      break;
    case translate_y:
      image = transform(image, translated(0, std::trunc(m)), sampling);
      break;
    case Operation::rotate:
      image = image::rotate(image, m, sampling);
      break;
    case brightness:
      adjust_brightness(image, 1.0 + m);
      break;
    case color:
      adjust_saturation(image, 1.0 + m);
      break;
    case contrast:
      adjust_contrast(image, 1.0 + m);
      break;
    case sharpness:
      adjust_sharpness(image, 1.0 + m);
      break;
    case Operation::posterize:
      image::posterize(image, static_cast<int>(m));
      break;
    case Operation::solarize:
      image::solarize(image, 255.0 * m);
      break;
    case auto_contrast:
      autocontrast(image);
      break;
    case Operation::equalize:
      image::equalize(image);
      break;
    case Operation::invert:
      image::invert(image);
      break;
  }
}

std::vector<Change> draw_changes(const PolicyOptions& options, Size size, const RandomStream& random, uint64_t place) {
  Drawing drawing(options, size, random, place);
  std::vector<Change> changes;
  switch (options.policy) {
    case Policy::none:
      break;
    case Policy::randaugment:
      for (int i = 0; i < options.operations; ++i) changes.push_back(drawing.any(options.magnitude));
      break;
    case Policy::trivialaugment:
      changes.push_back(drawing.any(-1));
      break;
    case Policy::autoaugment:
    case Policy::autoaugment_cifar10:
    case Policy::autoaugment_svhn:
      changes = drawing.pair();
      break;
  }
  return changes;
}

std::span<const Operation> operations_of(Policy policy) {
  if (policy == Policy::randaugment || policy == Policy::trivialaugment) return kOperations;
  return {};
}

std::optional<double> magnitude_of(Policy policy, Operation operation, int bin, int bins, Size size) {
  switch (operation) {
    case identity:
    case auto_contrast:
    case Operation::equalize:
    case Operation::invert:
      return std::nullopt;
    case Operation::posterize: {
      const float bins_a_bit = static_cast<float>((bins - 1) / (is_wide(policy) ? 6.0 : 4.0));
      return static_cast<double>(std::nearbyint(8.0f - static_cast<float>(bin) / bins_a_bit));
    }
    case Operation::solarize:
      return linspace(1.0f, 0.0f, bin, bins);
    default:
      return linspace(0.0f, static_cast<float>(largest(policy, operation, size)), bin, bins);
  }
}

bool is_signed(Operation operation) { return operation >= shear_x && operation <= sharpness; }

std::span<const Pair> pairs_of(Policy policy) {
  switch (policy) {
    case Policy::autoaugment:
      return kImageNet;
    case Policy::autoaugment_cifar10:
      return kCifar10;
    case Policy::autoaugment_svhn:
      return kSvhn;
    default:
      return {};
  }
}

}  // namespace fovea::image
