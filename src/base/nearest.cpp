#include "base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace fovea {
namespace {

// Levenshtein's.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] != b[j]);
      diagonal = std::exchange(row[j + 1], std::min({changed, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(std::string_view name, std::span<const std::string> names) {
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const std::string& known : names) ranked.emplace_back(edit_distance(name, known), known);
  std::ranges::sort(ranked);
  constexpr size_t shown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(shown, ranked.size()); ++i) text += (i > 0 ? ", " : "") + ranked[i].second;
  return text;
}

}  // namespace fovea
