// The learning rate over the steps of a phase.
#pragma once

#include <cstdint>

namespace fovea::training {

// A linear warm-up, then half a cosine down to 0 (Loshchilov and Hutter 2017, arXiv:1608.03983).
struct Schedule {
  double peak = 0;
  int64_t warmup = 0, steps = 0;  // warm-up steps are part of all steps
};

// `step` counts from 0: warm-up gives peak (step + 1) / warmup, so no step is wasted at a rate of 0.
double rate_at(const Schedule& schedule, int64_t step);

}  // namespace fovea::training
