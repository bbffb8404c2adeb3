// What `fovea train` can be told about how to train.
#pragma once

#include <fovea/train.h>

#include <string>

#include "cli/options.h"

namespace fovea::cli {

struct TrainingOptions {
  PreprocessingOptions preprocessing;
  std::string recipe = "auto", optimizer, schedule, loss, freeze, head, mirrored, cache, memory;
  HeadOptions head_options;
  bool no_augment = false, no_report = false;
  TrainOptions train;  // what needs no translation
};

// How pictures are changed before the network sees them.
void add_changes(Command& command, TrainingOptions& options);
void add_training(Command& command, TrainingOptions& options);
// Throws Error(usage) for options that contradict each other.
TrainOptions train_options(const TrainingOptions& options);

}  // namespace fovea::cli
