#include "train/rate_finder.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace fovea::training {
namespace {

constexpr double kSmoothing = 0.9, kDiverged = 4;

// A moving average that is not drawn to 0 at first.
class Smoothed {
 public:
  double add(double value) {
    sum_ = kSmoothing * sum_ + (1 - kSmoothing) * value;
    weight_ *= kSmoothing;
    return sum_ / (1 - weight_);
  }

 private:
  double sum_ = 0, weight_ = 1;
};

void check_search(const RateSearch& search) {
  if (!(search.lowest > 0 && search.highest > search.lowest))
    fail(ErrorKind::usage, "rates from {} to {}: numbers above 0 that grow are expected", search.lowest, search.highest);
  constexpr int64_t kLeast = 10;
  if (search.steps < kLeast) fail(ErrorKind::usage, "a search of {} steps, {} or more expected", search.steps, kLeast);
}

}  // namespace

RateCurve search_rates(const Parts& parts, const Phase& phase, std::span<const float> class_weights, uint64_t seed,
                       const RateSearch& search, const Held& held, engine::MemoryAccount& memory, const OnTrial& on_step) {
  check_search(search);
  const std::unique_ptr<Feed> feed = picture_feed(parts, phase, seed, {});
  StepRunner runner = runner_of(parts, *feed, seed);
  const Batches batches = feed->batches();
  compile_steps(runner, *feed, parts, phase, held, memory);
  feed->begin();
  RateCurve curve;
  Smoothed smoothed;
  double lowest = INFINITY;
  const double growth = std::log(search.highest / search.lowest) / static_cast<double>(search.steps - 1);
  for (int64_t step = 0; step < search.steps; ++step) {
    // A rate is that of a step of the optimizer: of the whole group of batches that make one.
    const double rate = search.lowest * std::exp(growth * static_cast<double>(step));
    double loss = 0;
    for (bool last = false; !last;) {
      const int64_t number = curve.batches % batches.count(), epoch = curve.batches / batches.count();
      if (number == 0) feed->start(epoch, 0);
      StepInput input = feed->next();
      input.rate = rate;
      input.step = curve.batches++;
      input.group = batches.group(epoch, number);
      input.class_weights = class_weights;
      last = input.group.last;
      loss += input.group.share * runner.run(input).loss;
    }
    const double smooth = smoothed.add(loss);
    curve.diverged = !std::isfinite(smooth) || smooth > kDiverged * lowest;
    if (curve.diverged) break;
    lowest = std::min(lowest, smooth);
    curve.trials.push_back({rate, loss, smooth});
    if (on_step && !on_step(step + 1, search.steps, smooth)) break;
  }
  curve.suggestion = suggest_rate(curve.trials);
  return curve;
}

double suggest_rate(std::span<const RateTrial> trials) {
  const auto lowest = std::ranges::min_element(trials, {}, &RateTrial::smoothed);
  const size_t end = lowest == trials.end() ? 0 : static_cast<size_t>(lowest - trials.begin()) + 1;
  const size_t half = trials.size() / 12;  // a line through so many trials on either side: single batches are too uneven
  double steepest = 0, rate = 0;
  for (size_t i = half; half > 0 && i + half < end; ++i) {
    double slope = 0;
    for (size_t k = 1; k <= half; ++k) slope += static_cast<double>(k) * (trials[i + k].smoothed - trials[i - k].smoothed);
    if (slope < steepest) {
      steepest = slope;
      rate = trials[i].rate;
    }
  }
  return rate;
}

}  // namespace fovea::training
