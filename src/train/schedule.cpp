#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fovea::training {

double rate_at(const Schedule& schedule, int64_t step) {
  if (step < schedule.warmup) return schedule.peak * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup);
  const auto after = static_cast<double>(std::max<int64_t>(1, schedule.steps - schedule.warmup));
  const double progress = std::min(1.0, static_cast<double>(step - schedule.warmup) / after);
  return schedule.peak * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace fovea::training
