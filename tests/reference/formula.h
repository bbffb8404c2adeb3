// The values that every reference answer was made with: functions of a name and a seed, exact in float32 (tests/data/reference/README.md).
#pragma once

#include <fovea/tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::answers {

// v: numbers in [-1, 1), multiples of 2^-23.
class Noise {
 public:
  explicit Noise(std::string_view name, uint64_t seed = 0);
  double operator[](int64_t i) const;

 private:
  uint64_t base_;
};

// f32, or i64 for a counter.
Tensor parameter(const std::string& name, const std::vector<int64_t>& shape, uint64_t seed);

// f32 [N, C, H, W]: half noise by the pixel, half noise on an 8 x 8 grid.
Tensor images(const std::vector<int64_t>& shape, uint64_t seed);

}  // namespace fovea::answers
