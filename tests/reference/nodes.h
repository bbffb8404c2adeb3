// Every node of the compiled training step by itself: CPU kernels in float32 against the plain loops in float64.
#pragma once

#include "reference/answer.h"
#include "reference/report.h"

namespace fovea::answers {

// Each node is fed what a float64 run of the same step gives it, rounded to float32; each result that is read is one quantity, its
// distance that of the CPU backend from the reference backend on the same inputs, over the result's norm.
Report compare_nodes(const Answer& answer);

}  // namespace fovea::answers
