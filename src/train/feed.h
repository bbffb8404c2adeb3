// What the steps of a phase read: pictures through the whole network, or stored features through its head.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/spill.h"
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
  Spill spill = {};  // of what is kept of the pictures
};

// Memory for what is kept of the pictures: up to the options' `cache_bytes`, beyond it nameless files of the run's folder or, where there
// is none, of the system's folder for temporary files.
Spill spill_of(const TrainOptions& options);

// Appends what the picture has of `classes` classes: 1 or 0, or its soft targets.
void append_targets(const image::Sample& sample, int64_t classes, std::vector<float>& targets);

// The phase's step on this graph of the network, with these parameters frozen.
StepOptions step_options(const Parts& parts, const Phase& phase, const ModelGraph& model, const std::set<std::string>& frozen);

// What a feed takes of memory beside the states and the executables of the StepRunner and the Session, in bytes.
struct FeedMemory {
  size_t now = 0;    // resident now
  size_t later = 0;  // resident while steps run; includes `now`
  size_t arena = 0;  // the most that the feed's own executables need of the arena
};

// A batch of prepared pictures [N, height, width, channels], and what they show.
struct PictureBatch {
  std::span<const float> images;
  std::span<const int32_t> labels;
  std::span<const float> targets;  // [N, classes]; empty where each has one label
};

class Feed {
 public:
  virtual ~Feed() = default;
  virtual Batches batches() const = 0;
  virtual Graph build_step(int64_t batch, Gradients gradients, const passes::RecomputeOptions& recompute) const = 0;
  virtual std::vector<std::string> data_inputs() const = 0;  // of the step
  // Called where the phase starts from its first step: resets what a phase has to begin with.
  virtual void begin() {}
  // Goes on with this step of this epoch.
  virtual void start(int64_t epoch, int64_t step) = 0;
  // Data and labels of the next step, valid until the next call.
  virtual StepInput next() = 0;
  // Evaluates the validation pictures with the weights as they are.
  virtual Evaluation validate() = 0;
  // Plans what `validate` runs, so that its memory is known.
  virtual void compile_validation() {}
  // Called at the end: afterwards the store holds the network's own weights, whatever form they trained in.
  virtual void finish() {}
  virtual FeedMemory memory() const = 0;
  virtual double waited_seconds() const { return 0; }  // for pictures, in all steps so far
};

// Null where `on_batch` stopped the computing of what a frozen part gives.
std::unique_ptr<Feed> picture_feed(const Parts& parts, const Phase& phase, uint64_t seed, const OnBatch& on_batch);

// A picture feed that gives the pictures and, in a second call, what the step reads of them. It keeps nothing of the frozen part.
class FeedByHand : public Feed {
 public:
  // What these two return is valid until the next call of the same.
  virtual PictureBatch next_pictures() = 0;
  virtual StepInput input_of(const PictureBatch& batch) = 0;
};
std::unique_ptr<FeedByHand> feed_by_hand(const Parts& parts, const Phase& phase, uint64_t seed);
// A picture feed for planning alone: it computes nothing and cannot run.
std::unique_ptr<Feed> planned_feed(const Parts& parts, const Phase& phase, uint64_t seed);

// What the head reads of pictures, computed when first asked for and kept by picture. Runs that start from the same weights, on the same
// pictures or parts of them, may share one; other weights or another preprocessing, but for the fit, empty it.
class FeatureStore {
 public:
  explicit FeatureStore(Spill spill = {}) : spill_(std::move(spill)) {}

  struct Wanted {
    std::span<const image::Sample> samples;
    std::vector<Fit> fits;
    bool mirrored = false;  // their mirror images too
  };
  // Computes what is not there yet. False where `on_batch` stopped it.
  bool compute(const Parts& parts, const std::vector<Wanted>& wanted, const OnBatch& on_batch);
  std::span<const float> row(const image::Sample& sample, Fit fit, bool mirrored) const;
  int64_t width() const { return width_; }
  size_t bytes() const;  // of memory
  // Called after many rows were read, so that those in a file do not stay in memory.
  void let_go() const;
  // Everything else that a training keeps of its pictures shares the limit.
  const Spill& spill() const { return spill_; }

 private:
  struct Table {
    std::unordered_map<std::string, const float*> rows;  // by path: the picture's row, followed by its mirror image's
    bool mirrored = false;
    std::vector<SpillArray<float>> blocks;  // [pictures, 1 or 2, width] each
  };
  // Gives those of the samples that the table does not hold. A table that lacks mirror images is made empty first.
  std::vector<image::Sample> missing(const Wanted& wanted, Fit fit);
  // Adds the pictures to the table. False: stopped.
  bool add(const Parts& parts, Table& table, Fit fit, const std::vector<image::Sample>& samples, const OnBatch& on_batch);

  uint64_t origin_ = 0;  // of the weights and the preprocessing
  int64_t width_ = 0, blocks_ = 0;
  Spill spill_;
  std::map<Fit, Table> tables_;
};

std::unique_ptr<Feed> feature_feed(const Parts& parts, const Phase& phase, uint64_t seed, const FeatureStore& features);

}  // namespace fovea::training
