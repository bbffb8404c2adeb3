// The floats of 8 bits: a sign, 4 or 5 bits of exponent, the rest of fraction (github.com/pytorch/pytorch,
// torch/headeronly/util/Float8_*.h).
#pragma once

#include <fovea/tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fovea::weights {

enum class Float8 : uint8_t { none, e4m3fn, e4m3fnuz, e5m2, e5m2fnuz };

float float8_value(Float8 kind, uint8_t bits);
Tensor float8_values(Float8 kind, const std::vector<int64_t>& shape, std::span<const std::byte> bytes);

}  // namespace fovea::weights
