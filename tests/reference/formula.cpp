#include "reference/formula.h"

#include <fmt/format.h>

#include <cmath>

#include "base/hash.h"
#include "base/parallel.h"

namespace fovea::answers {

Noise::Noise(std::string_view name, uint64_t seed) : base_(fnv1a64(name) + seed) {}

double Noise::operator[](int64_t i) const {
  const uint64_t z = mix64(base_ + (static_cast<uint64_t>(i) + 1) * 0x9E3779B97F4A7C15ull);
  return static_cast<double>(z >> 40) * 0x1p-23 - 1;
}

namespace {

// value = offset + scale v
struct Rule {
  double offset = 0, scale = 1;
};

Rule rule_of(std::string_view leaf, const std::vector<int64_t>& shape) {
  if (leaf == "running_mean") return {0, 0.1};
  if (leaf == "running_var") return {1, 0.5};
  if (leaf == "layer_scale" || leaf == "gamma") return {0.2, 0.1};
  if (shape.size() >= 2 && leaf.ends_with("weight")) {
    double fan_in = 1;
    for (size_t i = 1; i < shape.size(); ++i) fan_in *= static_cast<double>(shape[i]);
    return {0, std::sqrt(4 / fan_in)};
  }
  if (leaf == "weight") return {0.9, 0.2};
  return {0, 0.1};
}

}  // namespace

Tensor parameter(const std::string& name, const std::vector<int64_t>& shape, uint64_t seed) {
  const std::string leaf = name.substr(name.rfind('.') + 1);
  if (leaf == "num_batches_tracked") return Tensor(DType::i64, shape);
  const Rule rule = rule_of(leaf, shape);
  const Noise noise(name, seed);
  Tensor tensor(DType::f32, shape);
  const auto values = tensor.mutable_values<float>();
  constexpr int64_t kGrain = 1 << 16;
  parallel_for(tensor.size(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] = static_cast<float>(rule.offset + rule.scale * noise[i]);
  });
  return tensor;
}

Tensor images(const std::vector<int64_t>& shape, uint64_t seed) {
  constexpr int64_t cells = 8;
  const int64_t planes = shape[0] * shape[1], height = shape[2], width = shape[3];
  const std::string name = fmt::format("input:{}x{}x{}x{}", shape[0], shape[1], height, width);
  const Noise fine(name, seed), coarse(name + ":coarse", seed);
  Tensor tensor(DType::f32, shape);
  float* value = tensor.mutable_values<float>().data();
  for (int64_t plane = 0, i = 0; plane < planes; ++plane)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x, ++i) {
        const int64_t cell = (plane * cells + y * cells / height) * cells + x * cells / width;
        value[i] = static_cast<float>(0.5 * fine[i] + 0.5 * coarse[cell]);
      }
  return tensor;
}

}  // namespace fovea::answers
