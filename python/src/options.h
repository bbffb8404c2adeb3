// The settings of a training as Python tells them.
#pragma once

#include <fovea/train.h>
#include <fovea/train_settings.h>

#include <cstdint>
#include <optional>
#include <string>

#include "callbacks.h"
#include "dataset.h"

namespace fovea::python {

// What the command's options for preprocessing are; none is what the command does without the option.
struct Shaping {
  std::optional<std::string> fit, alpha, decode, range;
  std::optional<int64_t> page, height, width;
};
void shape(TrainOptions& options, const Shaping& shaping);
void resize(Model& model, const Shaping& shaping);

}  // namespace fovea::python
