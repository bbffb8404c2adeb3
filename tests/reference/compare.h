// A network rebuilt from the formula and compared with its reference answer.
#pragma once

#include "backend/backend.h"
#include "nn/model_graph.h"
#include "reference/answer.h"
#include "reference/report.h"
#include "train/step.h"

namespace fovea::answers {

struct Target {
  const backend::Backend& backend;
  DType dtype = DType::f32;
};

// Throws Error(usage) for a model that is not registered, Error(mismatch) where its parameters are not the answer's.
Report compare(const Answer& answer, const Target& target);

// The losses of the answer's training steps, with maps of this type.
std::vector<double> losses(const Answer& answer, const Target& target, DType precision);

// The same network for the answer's training step, every dropout and stochastic depth at 0.
ModelGraph training_model(const Answer& answer);
training::StepOptions step_options(const Answer& answer);
// What a step reads: image, labels, rate, and the step's number where it is asked for.
std::vector<std::pair<std::string, Tensor>> step_inputs(const Answer& answer, int64_t step);

}  // namespace fovea::answers
