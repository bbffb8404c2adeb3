// Integers as the numbers of an explanation.
#pragma once

#include <cstdint>
#include <limits>

namespace fovea::explain {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();  // where a row has no such number

inline double real(int64_t number) { return static_cast<double>(number); }
// 0 where there is nothing to compare with.
inline double ratio(int64_t a, int64_t b) { return b == 0 ? 0 : real(a) / real(b); }

}  // namespace fovea::explain
