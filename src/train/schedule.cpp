#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fovea::training {
namespace {

double half_cosine(double from, double to, double progress) { return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * progress)); }

double one_cycle(const Schedule& schedule, double step) {
  constexpr double kStart = 1.0 / 25, kEnd = kStart / 1e4;
  const double top = static_cast<double>(schedule.warmup) - 1, end = static_cast<double>(schedule.steps) - 1;
  if (step <= top) return schedule.peak * half_cosine(kStart, 1, top > 0 ? step / top : 1);
  return schedule.peak * half_cosine(1, kEnd, end > top ? (step - top) / (end - top) : 1);
}

}  // namespace

double rate_at(const Schedule& schedule, int64_t step) {
  if (schedule.own) return schedule.own(step, schedule.steps);
  if (schedule.kind == RateSchedule::one_cycle) return one_cycle(schedule, static_cast<double>(step));
  if (step < schedule.warmup) return schedule.peak * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup);
  if (schedule.kind == RateSchedule::step) {
    double rate = schedule.peak;
    for (const int64_t tenths : {3, 6, 9})
      if (step * 10 >= schedule.steps * tenths) rate *= 0.1;
    return rate;
  }
  if (schedule.kind != RateSchedule::cosine) return schedule.peak;
  const auto after = static_cast<double>(std::max<int64_t>(1, schedule.steps - schedule.warmup));
  return schedule.peak * half_cosine(1, 0, std::min(1.0, static_cast<double>(step - schedule.warmup) / after));
}

void Plateau::epoch(double loss) {
  if (best < 0 || loss < best * (1 - kThreshold)) {
    best = loss;
    bad_epochs = 0;
  } else if (++bad_epochs > kPatience) {
    factor *= kFactor;
    bad_epochs = 0;
  }
}

double average_decay(double decay, int64_t update) {
  const auto n = static_cast<double>(update + 1);
  return std::min(decay, (1 + n) / (10 + n));
}

}  // namespace fovea::training
