#include "weights/float8.h"

#include <array>
#include <cmath>
#include <limits>

namespace fovea::weights {

float float8_value(Float8 kind, uint8_t bits) {
  const bool wide = kind == Float8::e5m2 || kind == Float8::e5m2fnuz;
  const bool unsigned_zero = kind == Float8::e4m3fnuz || kind == Float8::e5m2fnuz;  // and no infinity; the bits of -0 are not a number
  const int fraction_bits = wide ? 2 : 3, bias = (wide ? 15 : 7) + (unsigned_zero ? 1 : 0);
  const int exponent = (bits & 0x7F) >> fraction_bits, fraction = bits & ((1 << fraction_bits) - 1);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  if (unsigned_zero && bits == 0x80) return kNan;
  if (kind == Float8::e4m3fn && (bits & 0x7F) == 0x7F) return kNan;
  const float sign = (bits & 0x80) != 0 ? -1.0f : 1.0f;
  if (kind == Float8::e5m2 && exponent == 31) return fraction == 0 ? sign * kInfinity : kNan;
  const int whole = exponent == 0 ? 0 : 1 << fraction_bits;
  return sign * std::ldexp(static_cast<float>(whole + fraction), (exponent == 0 ? 1 : exponent) - bias - fraction_bits);
}

Tensor float8_values(Float8 kind, const std::vector<int64_t>& shape, std::span<const std::byte> bytes) {
  std::array<float, 256> values{};
  for (size_t i = 0; i < values.size(); ++i) values[i] = float8_value(kind, static_cast<uint8_t>(i));
  Tensor result(DType::f32, shape);
  const auto out = result.mutable_values<float>();
  for (size_t i = 0; i < out.size(); ++i) out[i] = values[static_cast<uint8_t>(bytes[i])];
  return result;
}

}  // namespace fovea::weights
