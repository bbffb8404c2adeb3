// A training and a search for a rate, from the options to the end: what train() and find_rate() of the public interface are.
#pragma once

#include <fovea/train.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "engine/network.h"
#include "train/data.h"
#include "train/metrics_file.h"

namespace fovea::training {

// What both begin with.
struct TrainingInput {
  std::shared_ptr<engine::Network> network;
  const backend::Backend& backend;
  TrainOptions options;
  bool pretrained = false;              // the network holds weights that were learnt
  std::function<image::Splits()> find;  // gives the pictures; called once the options are known to be possible
};

struct TrainingHooks {
  Origin origin;
  bool tell_freeze = false;  // the options' freeze is the caller's own, and what it saves is told
  // Gives the network a new head.
  std::function<void(std::vector<std::string> classes, const HeadOptions& head, uint64_t seed)> replace_head;
  // Writes the page of the run in the folder, once its metrics are there.
  std::function<void(const std::string& folder, const Data& data)> write_page;
};

// Trains the network; afterwards it holds the best weights, and the run's folder is whole where the options ask for one. Throws Error as
// fovea::train does.
TrainResult run_training(TrainingInput input, TrainingHooks hooks);

// The network stays as it is. Throws Error as fovea::find_rate does.
RateCurve find_rate(TrainingInput input, const RateSearch& search);

}  // namespace fovea::training
