// Training by hand: what `train` is made of, a call each.
//
//   fovea::Trainer trainer(model, data, options);
//   for (int64_t epoch = 0; epoch < trainer.epochs(); ++epoch) {
//     while (const auto batch = trainer.next()) trainer.step(*batch);
//     std::cout << trainer.validate().score.accuracy << "\n";
//   }
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fovea/api.h>
#include <fovea/dataset.h>
#include <fovea/model.h>
#include <fovea/tensor.h>
#include <fovea/train.h>

namespace fovea {

struct TrainBatch {
  Tensor images;                // f32 [N, channels, height, width], prepared as `preprocess` does
  std::vector<int64_t> labels;  // N classes; not looked at where there are targets
  Tensor targets = {};          // f32 [N, classes]: of soft, several or mixed labels
};

struct TrainedStep {
  double loss = 0;
  int64_t correct = 0;  // pictures of the batch that the network told rightly, as it was before the step
  double rate = 0;
};

// The steps of the phase that the recipe is about: of finetune after the head was trained, which the constructor does, of full from the
// first. Loss, optimizer, rates, augmentation and all that is random are those of `train` with the same options, and so are the bits where
// the same calls are made: each epoch's batches, a step each, `validate` at its end. What concerns a run as a whole (folds, seeds, out,
// report, epochs' callbacks) has no meaning here. The model trains in place, and nothing else changes it meanwhile: predictors are made
// from a model of their own. One thread calls; the model's own const functions may be called between the steps.
class FOVEA_API Trainer {
 public:
  // Looks at every picture, divides them and plans, as `train` does. Throws as that does, and Error(usage) for the recipe probe, which has
  // no steps on pictures.
  Trainer(Model& model, const Dataset& data, const TrainOptions& options = {});
  ~Trainer();  // what the optimizer keeps goes; the model stays as it is
  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;

  int64_t epochs() const;  // that the recipe plans
  int64_t steps() const;   // batches of an epoch
  int64_t step() const;    // taken so far
  double rate() const;     // of the next step

  // The next batch of the epoch, read and changed ahead by threads of its own; nothing at the end of the epoch, once.
  std::optional<TrainBatch> next();
  // A step on a batch: one of `next`, as it is or changed, or the caller's own of any number of pictures from two on. With
  // TrainOptions::accumulate so many of them make a step of the optimizer. Throws Error: usage for a shape or a label that does not fit,
  // input for a loss that is no number, after which the weights mean nothing.
  TrainedStep step(const TrainBatch& batch);

  // Of the validation pictures, of the test pictures, of others; with TrainOptions::ema by the averaged weights. The schedule plateau
  // counts a call of `validate` as an epoch.
  Evaluation validate();
  Evaluation test();
  Evaluation evaluate(const Dataset& data);
  // The weights as these see them; Model::save and Model::state_dict have those that train.
  std::map<std::string, Tensor> state_dict();

  // Everything that the steps to come depend on: weights, moments, averages, and how many were taken. A trainer of the same model, pictures
  // and options that loads it takes the same steps. Throw Error: io, format, mismatch naming what was another.
  void save(const std::string& path) const;
  void load(const std::string& path);

 private:
  class Implementation;
  Implementation& implementation() const;  // throws Error(usage) for a trainer that was moved from
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace fovea
