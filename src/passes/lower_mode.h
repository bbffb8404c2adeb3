// Turns what a model's text leaves open into one job: batch norm, dropout and stochastic depth for training, for inference, or frozen.
//
// before: %1 = batch_norm(%0, g, b, mean, var)            inference or g frozen: %1 = batch_norm_inference(%0, g, b, mean, var)
//                                                         training: %1, ... = batch_norm_training(...), next mean, next var, count + 1
// before: %1 = dropout(%0) probability=0.2                training: %1 = random_mask(%0, seed, step); inference, or where neither %0 nor
//                                                         the layer that reads %1 trains: %0
#pragma once

#include <set>
#include <string>

#include "ir/graph.h"

namespace fovea::passes {

struct Mode {
  bool training = false;
  std::set<std::string> frozen;  // parameters that do not train; their batch norms keep their statistics
};

Graph lower_mode(const Graph& graph, const Mode& mode);

}  // namespace fovea::passes
