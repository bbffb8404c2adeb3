#include "base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "base/text.h"

namespace fovea {
namespace {

// Levenshtein's of all of `a` and all of `b`, or any piece of it.
enum class Of { all, any_piece };
size_t edit_distance(std::string_view a, std::string_view b, Of of) {
  std::vector<size_t> row(b.size() + 1);
  if (of == Of::all) std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] != b[j]);
      diagonal = std::exchange(row[j + 1], std::min({changed, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return of == Of::all ? row.back() : *std::ranges::min_element(row);
}

// A name cut short, or one with something added, is nearer than one of the same length with other letters.
std::pair<size_t, size_t> apart(std::string_view name, std::string_view known) {
  const std::string a = lower_case(name), b = lower_case(known);
  const auto& [shorter, longer] = std::minmax(a, b, [](const auto& x, const auto& y) { return x.size() < y.size(); });
  return {edit_distance(shorter, longer, Of::any_piece), edit_distance(a, b, Of::all)};
}

}  // namespace

std::string nearest(std::string_view name, std::span<const std::string> names) {
  std::vector<std::pair<std::pair<size_t, size_t>, std::string>> ranked;
  for (const std::string& known : names) ranked.emplace_back(apart(name, known), known);
  std::ranges::sort(ranked);
  constexpr size_t shown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(shown, ranked.size()); ++i) text += (i > 0 ? ", " : "") + ranked[i].second;
  return text;
}

}  // namespace fovea
