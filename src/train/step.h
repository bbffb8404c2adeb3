// One training step as a graph: forward, loss, gradients, updates.
#pragma once

#include <fovea/architecture.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "nn/model_graph.h"
#include "ops/host_loss.h"
#include "passes/pipeline.h"

namespace fovea::training {

struct OptimizerOptions {
  enum class Kind { sgd, adamw, rmsprop };
  Kind kind = Kind::adamw;
  double momentum = 0.9;  // SGD, RMSprop
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // AdamW
  // RMSprop, as EfficientNet was trained: Tan and Le's TPU code has 0.001 inside the root, timm's recipes for it --opt-eps .001 (the class
  // RMSpropTF alone has TensorFlow 1's 1e-10); torchvision's for MobileNetV3 has eps 0.0316 outside of the root, which is the root of
  // 0.001.
  double alpha = 0.9, rmsprop_eps = 1e-3;
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
  // A loss of the caller's own, on soft targets, in place of the above: composed in the graph, or a function outside of it. Null: none.
  std::function<Map(Map logits, Map targets)> composed = {};
  std::shared_ptr<const HostLossHandle> host = {};
  bool own() const { return composed || host; }
};

// What becomes of a batch's gradients.
enum class Gradients {
  applied,    // they make a step
  collected,  // they are added to the sums, and no parameter moves
  completed,  // they and the sums make a step
};

struct StepOptions {
  OptimizerOptions optimizer;
  Gradients gradients = Gradients::applied;
  double clip_norm = 0;  // of all gradients together; 0: not clipped
  LossOptions loss;
  std::set<std::string> frozen;                                   // parameters that do not train
  std::function<ParameterOptions(const State& state)> parameter;  // empty: the defaults for all
  bool gradients_as_outputs = false;                              // "grad:NAME", for comparison
  DType precision = DType::f32;                                   // of the maps in between
};

// The model's graph for training with some parameters frozen: output "logits", the mode lowered; no loss yet. `stochastic_depth`: of the
// last block, falling linearly to 0 at the first; below 0: what the text says.
Graph lower_for_training(const ModelGraph& model, const std::set<std::string>& frozen, double stochastic_depth = -1);

// Appends loss, gradients and updates to a lowered graph that has the output "logits" [N,K,1,1]. New inputs: "labels" i32 [N] for plain
// cross entropy, for every other loss "targets" f32 [N,K,1,1], "class_weights" f32 [1,K,1,1] where they are asked for; "rate" [], "step"
// i64 [] (from 0), "seed" i64 [] where something is random; where gradients are collected "update" i64 [] (steps of the optimizer, from 0),
// "keep" [] and "scale" []: sum = keep sum + scale gradient. Outputs "loss" [] and "logits". The moments are states named
// "sgd.velocity:NAME", "adamw.m:NAME", "adamw.v:NAME", "rmsprop.square:NAME", "rmsprop.velocity:NAME", the sums "sum:NAME". Optimized:
// ready to be compiled.
Graph build_step(Graph lowered, const StepOptions& options, const passes::PipelineOptions& pipeline = {});

// average = keep average + scale value, of every parameter and buffer of floating type that a step writes; inputs "keep" [] and "scale" [],
// the averages are states named "average:NAME".
Graph build_average(const Graph& step);
constexpr const char* kAverage = "average:";

}  // namespace fovea::training
