// A training from what is asked to what is ready to run: facts, plan, pictures. `train`, its folds, the search for a rate and a trainer
// that steps by hand begin here.
#pragma once

#include <fovea/train.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "engine/memory_account.h"
#include "engine/network.h"
#include "train/cross_validation.h"
#include "train/data.h"
#include "train/metrics_file.h"
#include "train/recipes.h"

namespace fovea::training {

class FeatureStore;

// A plan whose last phase takes steps on pictures: finetune where the recipe is left open and would be a probe.
Plan plan_of_steps(const TrainOptions& options, const Facts& facts);

// Thrown where a training is cancelled before there is anything to be saved.
struct Cancelled {};

// A tap that is not there is told before anything is read.
void check_freeze(const engine::Network& network, const std::string& freeze);

class Job {
 public:
  using MakePlan = Plan (*)(const TrainOptions& options, const Facts& facts);

  // `network` is the model's as it was before, `pretrained` says whether it holds weights that were learnt. Both the network and the
  // options' callbacks outlive the job.
  Job(const engine::Network& network, TrainOptions options, bool pretrained, MakePlan make = make_plan);

  // The pictures that were found, none of them looked at: settles classes, head, preprocessing and what is frozen. Throws Error: input for
  // a class that no model can keep, usage for options that contradict each other.
  void take(image::Splits found);
  // Looks at every picture once and leaves out those that cannot be read; settles the size. Throws Cancelled.
  void look();
  // Tells what was left out, and of copies.
  void tell() const;

  TrainOptions& options() { return options_; }
  const TrainOptions& options() const { return options_; }
  const std::vector<std::string>& classes() const { return classes_; }
  const HeadOptions& head() const { return head_; }
  bool new_head() const { return new_head_; }  // the network's head is to be replaced by `head` of `classes`
  const Preprocessing& preprocessing() const { return preprocessing_; }
  const std::string& freeze_reason() const { return freeze_reason_; }
  Data& data() { return data_; }
  const Data& data() const { return data_; }

  // The plan of a run on these pictures; what it freezes is settled in its options.
  Plan plan(const image::Splits& splits, TrainOptions& options);
  // The network as it is before a run, any number of times.
  std::shared_ptr<engine::Network> beginning(uint64_t seed) const;
  // The runs before the one on all pictures.
  CrossValidation cross_validate(const backend::Backend& backend, const Origin& origin, const std::shared_ptr<FeatureStore>& features,
                                 const std::shared_ptr<engine::MemoryAccount>& memory);

 private:
  void settle_freeze(const image::Splits& splits, TrainOptions& options);
  void settle_size();

  const engine::Network& network_;
  TrainOptions options_;
  const bool pretrained_, freeze_by_pictures_;
  const MakePlan make_plan_;
  std::vector<std::string> classes_;
  HeadOptions head_;
  bool new_head_ = false, random_crops_ = false;
  Preprocessing preprocessing_;
  double area_ = 0;  // of the median picture; 0: nobody has looked yet
  std::string freeze_reason_ = "asked for";
  Data data_;
};

}  // namespace fovea::training
