// What `fovea train` can be told about how to train.
#pragma once

#include <fovea/train_settings.h>

#include <map>
#include <string>

#include "cli/options.h"

namespace fovea::cli {

struct TrainingOptions {
  PreprocessingOptions preprocessing;
  std::map<std::string, std::string> values;  // of settings, by name; empty: not given
  std::map<std::string, bool> switches;       // settings without a value
};

// How pictures are changed before the network sees them.
void add_changes(Command& command, TrainingOptions& options);
void add_training(Command& command, TrainingOptions& options);
// Throws Error(usage) for options that contradict each other.
TrainOptions train_options(const TrainingOptions& options);

}  // namespace fovea::cli
