// Counter-based random numbers: the i-th number of a stream depends on (seed, stream, i) alone, so threads and order change nothing.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

#include "base/hash.h"

namespace fovea {

class RandomStream {
 public:
  RandomStream(uint64_t seed, uint64_t stream) : key_(mix64(seed * 0x9E3779B97F4A7C15ull + mix64(stream))) {}
  RandomStream(uint64_t seed, std::string_view name) : RandomStream(seed, fnv1a64(name)) {}

  // The i-th 64 bits of the stream.
  uint64_t bits(uint64_t i) const { return mix64(key_ + (i + 1) * 0x9E3779B97F4A7C15ull); }
  // The i-th number of [0, 1), with 53 bits.
  double uniform(uint64_t i) const { return static_cast<double>(bits(i) >> 11) * 0x1p-53; }
  // Standard normal (Box-Muller on numbers 2i and 2i + 1).
  double normal(uint64_t i) const {
    const double u = 1.0 - uniform(2 * i);  // in (0, 1]
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * uniform(2 * i + 1));
  }
  // The i-th number of [0, n), n > 0; the bias of the multiplication is below n / 2^64.
  uint64_t below(uint64_t i, uint64_t n) const { return static_cast<uint64_t>((static_cast<unsigned __int128>(bits(i)) * n) >> 64); }

 private:
  uint64_t key_;
};

}  // namespace fovea
