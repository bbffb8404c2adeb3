#include "train/comparison.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace fovea::training {

std::vector<int> correct_answers(const Evaluation& evaluation) {
  std::vector<int> result;
  for (const Outcome& outcome : evaluation.outcomes) {
    bool right = outcome.predicted == outcome.label;
    if (outcome.label < 0)  // several labels: every class
      for (size_t k = 0; k < outcome.probabilities.size(); ++k)
        right = right && (outcome.probabilities[k] >= 0.5f) == (std::ranges::count(outcome.labels, static_cast<int64_t>(k)) > 0);
    result.push_back(right ? 1 : 0);
  }
  return result;
}

Comparison compare(const std::vector<int>& before, const std::vector<int>& after) {
  if (before.size() != after.size()) fail(ErrorKind::internal, "{} pictures compared with {}", before.size(), after.size());
  Comparison result;
  result.pictures = static_cast<int64_t>(before.size());
  if (result.pictures == 0) return result;
  const auto count = static_cast<double>(before.size());
  double changed = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    result.before += before[i] / count;
    result.after += after[i] / count;
    changed += before[i] != after[i];
  }
  const double mean = result.after - result.before;
  if (result.pictures > 1) result.error = std::sqrt((changed / count - mean * mean) / (count - 1));
  return result;
}

// A single picture is never enough: its difference equals its error. By one standard error chance wins one time in six, by two one in
// forty.
bool Comparison::convinces() const {
  constexpr double kErrors = 2, kRounding = 1e-9;
  return after - before > kErrors * error + kRounding;
}

std::string Comparison::text(const char* first, const char* second) const {
  return fmt::format("{} {:.1f} %, {} {:.1f} % of {} validation pictures, a difference of {:+.1f} with a standard error of {:.1f}", first,
                     100 * before, second, 100 * after, pictures, 100 * (after - before), 100 * error);
}

}  // namespace fovea::training
