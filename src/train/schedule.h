// The learning rate over the steps of a phase.
#pragma once

#include <fovea/train.h>

#include <cstdint>
#include <functional>

namespace fovea::training {

// A linear warm-up, peak (step + 1) / warmup, so no step is wasted at a rate of 0; after it
//   cosine     half a cosine down to 0 (Loshchilov and Hutter 2017, arXiv:1608.03983)
//   step       a tenth of what it was at 30, 60 and 90 % of all steps (Kolesnikov et al. 2020, arXiv:1912.11370)
//   constant   the peak
//   plateau    the peak times what `Plateau` makes of it
// and, for one_cycle, in place of all that: half a cosine from a 25th of the peak up to it at the end of the warm-up, and half a cosine
// down to a 250000th of it at the last step (Smith and Topin 2018, arXiv:1708.07120; torch's OneCycleLR, momentum left as it is).
struct Schedule {
  RateSchedule kind = RateSchedule::cosine;
  double peak = 0;
  int64_t warmup = 0, steps = 0;                                // warm-up steps are part of all steps
  std::function<double(int64_t step, int64_t steps)> own = {};  // in place of all that
};

// `step` counts updates of the weights, from 0.
double rate_at(const Schedule& schedule, int64_t step);

// torch's ReduceLROnPlateau: a tenth of the rate after more than `kPatience` epochs whose loss is not below 0.9999 of the best.
struct Plateau {
  static constexpr int64_t kPatience = 2;
  static constexpr double kFactor = 0.1, kThreshold = 1e-4;
  double best = -1;  // below 0: none yet
  int64_t bad_epochs = 0;
  double factor = 1;  // of the rate

  void epoch(double loss);
};

// The decay of averaged weights at an update, counted from 0: smaller at first, so that the weights from before the training are soon
// forgotten (TensorFlow's ExponentialMovingAverage with num_updates).
double average_decay(double decay, int64_t update);

}  // namespace fovea::training
