// How the right side of a matrix product lies packed: columns in panels of up to four units, about equally wide, one panel after the other,
// each as [row][its columns].
#pragma once

#include <algorithm>
#include <cstdint>

namespace fovea::cpu::simd {

constexpr int64_t kPanelUnit = 16, kMostColumns = 64;

constexpr int64_t padded_columns(int64_t columns) { return (columns + kPanelUnit - 1) / kPanelUnit * kPanelUnit; }

// With `threads`, each of them gets as many panels as any other where there are units enough.
struct Panels {
  explicit constexpr Panels(int64_t columns, int64_t threads = 1)
      : units(padded_columns(columns) / kPanelUnit), count(std::min(units, ((units + 3) / 4 + threads - 1) / threads * threads)) {}
  constexpr int64_t begin(int64_t panel) const { return units * panel / count * kPanelUnit; }
  constexpr int64_t columns(int64_t panel) const { return begin(panel + 1) - begin(panel); }
  int64_t units, count;
};

}  // namespace fovea::cpu::simd
