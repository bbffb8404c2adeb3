// Training steps of one phase: an executable for each batch size that occurs, on the same states and the same memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/executable.h"

namespace fovea::training {

struct StepInput {
  std::span<const float> data;      // the batch, in the engine's order; where several inputs take it, one after the other
  std::span<const int32_t> labels;  // one a picture; where targets are given they count the pictures and say nothing else
  double rate = 0;
  int64_t step = 0;                           // of the phase, from 0
  std::span<const float> targets = {};        // [N,K], where the loss takes soft targets: mixed labels, several labels a picture
  std::span<const float> class_weights = {};  // [K], where the loss takes them
};

struct StepResult {
  double loss = 0;
  int64_t correct = 0;  // pictures whose largest logit is their label's, or a class whose target is a half or more
};

class StepRunner {
 public:
  using Build = std::function<Graph(int64_t batch)>;  // training::build_step's result

  // `data` names the inputs that the batch goes to. `seed` decides all that is random in a step.
  StepRunner(Build build, std::vector<std::string> data, const backend::Backend& backend, std::shared_ptr<engine::StateStore> store,
             std::shared_ptr<engine::Arena> arena, uint64_t seed);

  // Plans the step of a batch size now: its states are declared, its memory is known.
  void compile(int64_t batch) { find(batch); }
  StepResult run(const StepInput& input);
  // Of the largest executable and what all hold.
  engine::MemoryUse memory() const;

 private:
  engine::Executable& find(int64_t batch);
  void write_targets(engine::Executable& executable, const StepInput& input) const;

  Build build_;
  std::vector<std::string> data_;
  const backend::Backend& backend_;
  std::shared_ptr<engine::StateStore> store_;
  std::shared_ptr<engine::Arena> arena_;
  int64_t seed_;
  std::map<int64_t, std::unique_ptr<engine::Executable>> executables_;
};

// Sizes of the batches of an epoch: equal ones, the last with the rest; a rest of one joins the one before it.
struct Batches {
  int64_t pictures = 0, batch = 1;

  int64_t count() const;
  int64_t begin(int64_t number) const { return number * batch; }
  int64_t size(int64_t number) const;
};

}  // namespace fovea::training
