// The part of a network below everything that trains, as a program of its own: in inference mode, batch norms folded, always at one batch
// size, so that what a picture gives depends on nothing beside it. A step, or a validation, is then the rest of the network on its results.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/batch_executable.h"
#include "engine/network.h"
#include "look/look.h"

namespace fovea::training {

class FrozenPrefix {
 public:
  struct Cut {
    std::string name;   // an input of the rest
    int64_t width = 0;  // numbers a picture
  };
  struct Target {  // where it runs
    const backend::Backend& backend;
    std::shared_ptr<engine::Arena> arena;
    int64_t height = 0, width = 0;  // of the pictures; 0: those of the preprocessing
  };

  // Null where all that the pictures meet first trains. `batch`: the pictures of a step.
  static std::unique_ptr<FrozenPrefix> find(const engine::Network& network, const std::set<std::string>& frozen, int64_t batch,
                                            const Target& target);

  int64_t batch() const { return batch_; }
  const std::vector<Cut>& cuts() const { return cuts_; }
  int64_t width() const { return width_; }  // numbers a picture, all cuts together
  int64_t picture_numbers() const { return executable_->picture_numbers(); }
  std::vector<std::string> inputs() const;  // of the rest, in the order of `arrange`

  // To look at pictures with: a row is what `run` gives of a picture.
  look::Program program() const {
    return {inputs(), [this](const auto& body) { body(*executable_); }};
  }
  // A row for each of `count` pictures [count, height, width, channels], in the engine's order; any count.
  // Seconds by node are added to `by_node` where that is not empty (BatchExecutable::run_timed).
  void run(std::span<const float> images, int64_t count, std::span<float> rows, std::span<double> by_node = {});
  // Puts row `i` of `count` where the rest of the network reads it: one cut after the other, each [count, width of the cut].
  void arrange(std::span<const float> row, int64_t i, int64_t count, std::span<float> data) const;

  const engine::BatchExecutable& executable() const { return *executable_; }

 private:
  FrozenPrefix() = default;

  int64_t batch_ = 0, width_ = 0;
  std::vector<Cut> cuts_;
  std::unique_ptr<engine::BatchExecutable> executable_;
};

// What is left of a lowered graph: it reads the cuts in place of the image.
Graph without_prefix(const Graph& lowered, const std::set<std::string>& frozen);

}  // namespace fovea::training
