// One training step as a graph: forward, loss, gradients, updates.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "nn/model_graph.h"
#include "passes/pipeline.h"

namespace fovea::training {

struct OptimizerOptions {
  enum class Kind { sgd, adamw };
  Kind kind = Kind::adamw;
  double momentum = 0.9;  // SGD
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // AdamW
  double weight_decay = 0.01;
};

struct ParameterOptions {
  double rate_scale = 1;   // of the step's rate
  double decay_scale = 1;  // of the weight decay: 0 for norms and biases
};

struct LossOptions {
  enum class Kind { cross_entropy, binary };  // binary: each class on its own, for pictures with several labels
  Kind kind = Kind::cross_entropy;
  // Targets by class, from the feed: mixed labels, several labels a picture. Without, every picture has one label.
  bool soft_targets = false;
  double smoothing = 0;
  double focal_gamma = 0;      // above 0: focal
  bool class_weights = false;  // rare classes count more
};

struct StepOptions {
  OptimizerOptions optimizer;
  LossOptions loss;
  std::set<std::string> frozen;                                   // parameters that do not train
  std::function<ParameterOptions(const State& state)> parameter;  // empty: the defaults for all
  bool gradients_as_outputs = false;                              // "grad:NAME", for comparison
};

// The model's graph for training with some parameters frozen: output "logits", the mode lowered; no loss yet.
Graph lower_for_training(const ModelGraph& model, const std::set<std::string>& frozen);

// Appends loss, gradients and updates to a lowered graph that has the output "logits" [N,K,1,1]. New inputs: "labels" i32 [N] for plain
// cross entropy, for every other loss "targets" f32 [N,K,1,1], "class_weights" f32 [1,K,1,1] where they are asked for; "rate" [], "step"
// i64 [] (from 0), "seed" i64 [] where something is random; outputs "loss" [] and "logits". The moments are states named
// "sgd.velocity:NAME", "adamw.m:NAME", "adamw.v:NAME". Optimized: ready to be compiled.
Graph build_step(Graph lowered, const StepOptions& options, const passes::PipelineOptions& pipeline = {});

}  // namespace fovea::training
