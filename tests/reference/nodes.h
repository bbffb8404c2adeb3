// Every node of the compiled training step by itself: CPU kernels in float32 against the plain loops in float64.
#pragma once

#include "reference/answer.h"
#include "reference/report.h"

namespace fovea::answers {

// Each node is fed what a float64 run of the same step gives it, rounded to float32; each result that is read is one quantity, its
// distance that of the CPU backend from the reference backend in float64 on the same inputs, over the result's norm. Two exceptions:
// - A gradient that algebra makes zero (the answer says which: the sum of a batch norm's or a bias's output gradient whose shift a later
//   batch norm takes out) has no norm of its own; its distance is over the norm of its terms.
// - A batch norm's backward node that computes a kinked activation's argument again takes either derivative where the argument lies within
//   rounding of the kink; both backends get a gradient of 0 there, a few elements in a million.
Report compare_nodes(const Answer& answer);

}  // namespace fovea::answers
