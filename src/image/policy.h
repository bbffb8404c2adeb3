// Augmentation policies with the operations, magnitudes and probabilities of torchvision's transforms.v2.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/named.h"
#include "base/random.h"
#include "image/geometry.h"
#include "image/resize.h"

namespace fovea::image {

enum class Operation {
  identity,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  rotate,
  brightness,
  color,
  contrast,
  sharpness,
  posterize,
  solarize,
  auto_contrast,
  equalize,
  invert
};

// What is done to a picture. The magnitude is a slope (shear), pixels to the right or down, degrees counter-clockwise, what is added to an
// enhancement's factor of 1, bits that are kept, or the threshold of solarize in 1/255; of the others it means nothing.
struct Change {
  Operation operation = Operation::identity;
  double magnitude = 0;

  bool operator==(const Change&) const = default;
};
void apply(Image& image, const Change& change, const Sampling& sampling = {});

enum class Policy {
  none,
  randaugment,     // Cubuk et al. 2019, arXiv:1909.13719: so many operations, each at the one magnitude
  trivialaugment,  // Mueller and Hutter 2021, arXiv:2103.10158, "wide": one operation at any magnitude
  autoaugment,     // Cubuk et al. 2018, arXiv:1805.09501: one of the 25 pairs found for ImageNet
  autoaugment_cifar10,
  autoaugment_svhn
};
constexpr Named<Policy> kPolicies[] = {{"none", Policy::none},
                                       {"randaugment", Policy::randaugment},
                                       {"trivialaugment", Policy::trivialaugment},
                                       {"autoaugment", Policy::autoaugment},
                                       {"autoaugment_cifar10", Policy::autoaugment_cifar10},
                                       {"autoaugment_svhn", Policy::autoaugment_svhn}};
const char* to_string(Policy policy);

struct PolicyOptions {
  Policy policy = Policy::none;
  int operations = 2;  // of randaugment
  int magnitude = 9;   // of randaugment: the bin
  int bins = 31;       // of randaugment and trivialaugment
  Sampling sampling = {};

  bool operator==(const PolicyOptions&) const = default;
};

// A policy's changes of a picture of this size. The numbers are the stream's from `place` on, at most 4 for each operation and 1.
std::vector<Change> draw_changes(const PolicyOptions& options, Size size, const RandomStream& random, uint64_t place);

// The tables. Operations in the order in which they are drawn from; none for autoaugment, which draws pairs.
std::span<const Operation> operations_of(Policy policy);
// The magnitude of the bin 0..bins-1, before its sign is drawn; nothing where the operation has none.
std::optional<double> magnitude_of(Policy policy, Operation operation, int bin, int bins, Size size);
bool is_signed(Operation operation);

struct Likely {
  Operation operation;
  double probability;
  int bin;  // of 10
};
using Pair = std::array<Likely, 2>;
std::span<const Pair> pairs_of(Policy policy);

}  // namespace fovea::image
