// Integers as the numbers of an explanation.
#pragma once

#include <cstdint>

namespace fovea::explain {

inline double real(int64_t number) { return static_cast<double>(number); }
// 0 where there is nothing to compare with.
inline double ratio(int64_t a, int64_t b) { return b == 0 ? 0 : real(a) / real(b); }

}  // namespace fovea::explain
