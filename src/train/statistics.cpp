#include "train/statistics.h"

#include <algorithm>
#include <cmath>

namespace fovea::training {

Interval wilson_interval(int64_t correct, int64_t pictures) {
  if (pictures <= 0) return {0, 1};
  constexpr double kZ = 1.959963984540054;  // of the normal distribution, 2.5 % lie above
  const auto n = static_cast<double>(pictures);
  const double share = static_cast<double>(correct) / n, scale = 1 + kZ * kZ / n;
  const double middle = (share + kZ * kZ / (2 * n)) / scale;
  const double half = kZ * std::sqrt(share * (1 - share) / n + kZ * kZ / (4 * n * n)) / scale;
  // The ends that are exactly 0 and 1 in numbers, but for rounding.
  return {correct == 0 ? 0 : std::max(0.0, middle - half), correct == pictures ? 1 : std::min(1.0, middle + half)};
}

Calibration calibration_of(std::span<const Outcome> outcomes) {
  constexpr int64_t kBins = 10;
  Calibration calibration;
  for (int64_t i = 0; i < kBins; ++i)
    calibration.bins.push_back({static_cast<double>(i) / kBins, static_cast<double>(i + 1) / kBins, 0, 0, 0});
  for (const Outcome& outcome : outcomes) {
    const auto at = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(outcome.confidence * kBins)) - 1, 0, kBins - 1);
    Calibration::Bin& bin = calibration.bins[static_cast<size_t>(at)];
    ++bin.pictures;
    bin.confidence += outcome.confidence;
    bin.accuracy += outcome.predicted == outcome.label;
  }
  for (Calibration::Bin& bin : calibration.bins) {
    if (bin.pictures == 0) continue;
    const auto pictures = static_cast<double>(bin.pictures);
    bin.confidence /= pictures;
    bin.accuracy /= pictures;
    calibration.expected_error += std::abs(bin.confidence - bin.accuracy) * pictures / static_cast<double>(outcomes.size());
  }
  return calibration;
}

std::optional<WrongAnswer> wrong_answer(const Outcome& outcome, std::span<const double> thresholds) {
  if (outcome.label >= 0) {
    if (outcome.predicted == outcome.label) return std::nullopt;
    return WrongAnswer{outcome.predicted, outcome.confidence};
  }
  std::optional<WrongAnswer> surest;
  for (size_t i = 0; i < outcome.probabilities.size(); ++i) {
    const double threshold = thresholds.empty() ? 0.5 : thresholds[i];
    const bool yes = static_cast<double>(outcome.probabilities[i]) >= threshold,
               has = std::ranges::count(outcome.labels, static_cast<int64_t>(i)) > 0;
    const auto probability = static_cast<double>(outcome.probabilities[i]), confidence = yes ? probability : 1 - probability;
    if (yes != has && (!surest || confidence > surest->confidence)) surest = {static_cast<int64_t>(i), confidence};
  }
  return surest;
}

std::vector<size_t> worst_mistakes(std::span<const Outcome> outcomes, size_t most, std::span<const double> thresholds) {
  std::vector<std::pair<double, size_t>> wrong;
  for (size_t i = 0; i < outcomes.size(); ++i)
    if (const auto answer = wrong_answer(outcomes[i], thresholds)) wrong.emplace_back(answer->confidence, i);
  std::stable_sort(wrong.begin(), wrong.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<size_t> positions;
  for (size_t i = 0; i < std::min(most, wrong.size()); ++i) positions.push_back(wrong[i].second);
  return positions;
}

}  // namespace fovea::training
