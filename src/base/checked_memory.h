#pragma once
// The address sanitizer checks every access by itself. A product of matrices reads each number many times, so that its inner loop would
// take ten times as long: such a function is marked FOVEA_CHECKED_BEFORE, and whoever calls it checks all the memory that it will use,
// once.
#include <cstddef>
#include <cstdint>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>

#define FOVEA_CHECKED_BEFORE __attribute__((no_sanitize("address,undefined")))

namespace fovea {
// `rows` rows of `bytes` bytes each, `step` bytes apart: ends the program with the sanitizer's report at the first byte that may not be
// used.
inline void check_memory(const void* first, int64_t rows, int64_t bytes, int64_t step) {
  for (int64_t row = 0; row < rows; ++row) {
    auto* begin = const_cast<char*>(static_cast<const char*>(first)) + row * step;
    if (const void* bad = __asan_region_is_poisoned(begin, static_cast<size_t>(bytes))) (void)*static_cast<const volatile char*>(bad);
  }
}
}  // namespace fovea
#else
#define FOVEA_CHECKED_BEFORE
namespace fovea {
inline void check_memory(const void*, int64_t, int64_t, int64_t) {}
}  // namespace fovea
#endif
