// What the steps of a phase read: pictures through the whole network, or stored features through its head.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "train/data.h"
#include "train/evaluate.h"
#include "train/recipes.h"
#include "train/step_runner.h"

namespace fovea::training {

// A run's parts that its phases share; they outlive the feeds.
struct Parts {
  std::shared_ptr<engine::Network> network;
  const backend::Backend& backend;
  std::shared_ptr<engine::Arena> arena;
  engine::Session& session;
  const Data& data;
  const TrainOptions& options;
};

// Appends what the picture has of `classes` classes: 1 or 0.
void append_targets(const image::Sample& sample, int64_t classes, std::vector<float>& targets);

// The phase's step on this graph of the network, with these parameters frozen.
StepOptions step_options(const Parts& parts, const Phase& phase, const ModelGraph& model, const std::set<std::string>& frozen);

class Feed {
 public:
  virtual ~Feed() = default;
  virtual Batches batches() const = 0;
  virtual Graph build_step(int64_t batch, Gradients gradients) const = 0;
  virtual std::vector<std::string> data_inputs() const = 0;  // of the step
  // The phase starts from its first step: what is to be reset is.
  virtual void begin() {}
  // Goes on with this step of this epoch.
  virtual void start(int64_t epoch, int64_t step) = 0;
  // Data and labels of the next step, valid until the next call.
  virtual StepInput next() = 0;
  // Of the validation pictures, with the weights as they are.
  virtual Evaluation validate() = 0;
  // Afterwards the store holds the network's own weights, whatever form they trained in.
  virtual void finish() {}
  virtual size_t bytes() const = 0;  // held beside states and executables
};

// Null where `on_batch` stopped the computing of what a frozen part gives.
std::unique_ptr<Feed> picture_feed(const Parts& parts, const Phase& phase, uint64_t seed, const OnBatch& on_batch);

// Features of the pictures, computed when first asked for.
class FeatureStore {
 public:
  // Whether they are complete: false where `on_batch` stopped.
  bool compute(const Parts& parts, bool mirrored, const OnBatch& on_batch);
  const Views& train() const { return *train_; }
  const Views& validation() const { return *validation_; }
  size_t bytes() const;

 private:
  std::optional<Views> train_, validation_;
};

std::unique_ptr<Feed> feature_feed(const Parts& parts, const Phase& phase, uint64_t seed, const FeatureStore& features);

}  // namespace fovea::training
