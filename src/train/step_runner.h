// Training steps of one phase: an executable for each batch size that occurs, on the same states and the same memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/executable.h"
#include "image/batches.h"
#include "train/step.h"

namespace fovea::training {

// Where several batches make one step of the optimizer: this batch's place among them.
struct Group {
  bool first = true, last = true;
  double share = 1;    // of the group's pictures
  int64_t update = 0;  // the optimizer's step, from 0
};

// The batches of an epoch. `accumulate` of them, at the end of the epoch perhaps fewer, make one step of the optimizer.
struct Batches : image::Batches {
  int64_t accumulate = 1;

  Batches(int64_t pictures, int64_t batch, int64_t accumulate = 1) : image::Batches{pictures, batch, true}, accumulate(accumulate) {}
  int64_t updates() const { return (count() + accumulate - 1) / accumulate; }
  Group group(int64_t epoch, int64_t number) const;
};

struct StepInput {
  std::span<const float> data;      // the batch, in the engine's order; where several inputs take it, one after the other
  std::span<const int32_t> labels;  // one a picture; where targets are given they count the pictures and say nothing else
  double rate = 0;
  int64_t step = 0;                           // of the phase, from 0
  std::span<const float> targets = {};        // [N,K], where the loss takes soft targets: mixed labels, several labels a picture
  std::span<const float> class_weights = {};  // [K], where the loss takes them
  Group group = {};
};

struct StepResult {
  double loss = 0;
  int64_t correct = 0;  // pictures whose largest logit is their label's, or of a class whose target is a half or more, or the largest
};

class StepRunner {
 public:
  // training::build_step's result.
  using Build = std::function<Graph(int64_t batch, Gradients gradients, const passes::RecomputeOptions& recompute)>;

  // `data` names the inputs that the batch goes to. `seed` decides all that is random in a step.
  StepRunner(Build build, std::vector<std::string> data, const backend::Backend& backend, std::shared_ptr<engine::StateStore> store,
             std::shared_ptr<engine::Arena> arena, uint64_t seed);

  // Plans the steps of the batches that occur now: their states are declared, their memory is known. It is taken when they run.
  void compile(const Batches& batches);
  // Plans again those that take more of the arena, and from now on all, to get by with so many bytes, or with the least possible.
  void compile_within(size_t arena_bytes);
  StepResult run(const StepInput& input);

  // Declares the averages, so that their memory is known.
  void compile_average() { averaging(); }
  // Averages of all that the steps write, from its present value on.
  void start_average();
  // average = decay average + (1 - decay) value
  void average(double decay);
  // The averages and the values change places.
  void swap_average();
  // The arena of the largest executable and what all hold.
  engine::MemoryUse memory() const;

 private:
  std::unique_ptr<engine::Executable> compiled(int64_t batch, Gradients gradients, const passes::RecomputeOptions& recompute) const;
  engine::Executable& find(int64_t batch, Gradients gradients);
  engine::Executable& averaging();
  void write_targets(engine::Executable& executable, const StepInput& input) const;

  Build build_;
  std::vector<std::string> data_;
  const backend::Backend& backend_;
  std::shared_ptr<engine::StateStore> store_;
  std::shared_ptr<engine::Arena> arena_;
  int64_t seed_;
  size_t arena_bytes_ = SIZE_MAX;  // allowed
  bool accumulates_ = false;
  std::map<std::pair<int64_t, Gradients>, std::unique_ptr<engine::Executable>> executables_;
  std::unique_ptr<engine::Executable> averaging_;
};

}  // namespace fovea::training
