// A model as a training takes it. For src/api alone.
#pragma once

#include <functional>
#include <utility>

#include "api/device.h"
#include "api/implementation.h"
#include "train/training.h"

namespace fovea {

// What the model was asked to freeze holds where the options ask for nothing.
inline training::TrainingInput training_input(Model::Implementation& model, TrainOptions options, std::function<image::Splits()> find) {
  if (options.freeze.empty() && model.freeze_given) options.freeze = model.freeze;
  return {model.shared_network(), device(), std::move(options), model.loaded.source != "none", std::move(find)};
}

}  // namespace fovea
