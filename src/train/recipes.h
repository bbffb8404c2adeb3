// Recipes: what is trained in which order, and with which numbers.
#pragma once

#include <fovea/train.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "image/augment.h"
#include "train/step.h"

namespace fovea::training {

struct Phase {
  std::string name;               // "head", "refit", "all"
  bool on_features = false;       // the backbone runs once, in inference mode, the head trains on what it gave: from zero, to the end
  bool solved = false;            // on features: no steps, but logistic regression to convergence
  bool second_fit = false;        // solved: squashed pictures train padded too, and the other way round
  bool average_fits = false;      // solved: the answer to both together may be chosen
  bool choose_fit = false;        // solved: of crop, pad and squash what cross validation prefers
  Choice mirrored = Choice::off;  // solved: whether the mirror image's answer is averaged in
  bool zero_head = false;         // a linear head starts from zero
  bool trial = false;             // kept only where the validation pictures say convincingly that it is better than what came before
  bool with_validation = false;   // trains on the validation pictures too: their accuracy was measured before
  std::string freeze = "none";    // "none", "all" or a tap
  int64_t epochs = 0, batch = 0;
  OptimizerOptions optimizer;
  double rate = 0;         // the schedule's peak
  double lowest_rate = 1;  // of the rate, below the first tap
  double layer_decay = 0;  // not 0: in place of it, a group's rate, of the one above it
  RateSchedule schedule = RateSchedule::cosine;
  double warmup = 0.1;                                                   // share of the steps
  std::function<double(int64_t step, int64_t steps)> rate_of_step = {};  // in place of rate, schedule and warm-up
  int64_t accumulate = 1;                                                // batches a step
  double clip_norm = 0;                                                  // 0: not clipped
  double ema = 0;                                                        // decay of the averaged weights; 0: none
  int64_t patience = 0;                                                  // epochs without a better validation before the phase ends; 0: all
  LossOptions loss;
  double stochastic_depth = -1;                     // of the last block; below 0: the network's own
  std::optional<image::Augmentation> augmentation;  // on features: only whether they are mirrored too
  image::Mixing mixing;                             // of the pictures of a batch, and of their labels
};

struct Plan {
  std::string recipe;  // "probe", "finetune", "full"
  std::string reason;  // one line
  std::vector<Phase> phases;
  std::vector<std::string> unused;  // sentences: options that mean nothing to the recipe that was chosen
};

// What the choice of a recipe goes by.
struct Facts {
  int64_t pictures = 0;    // to train on
  int64_t validation = 0;  // and to choose by
  bool pretrained = true;
  bool multi_label = false;  // pictures have several labels or none: classes are told each on its own
  bool linear_head = true;   // which can be solved for
  int64_t classes = 0;
  double median_area = 0;     // of the pictures, in pixels; 0: nobody has looked yet
  bool soft_targets = false;  // some picture has a number for each class in place of labels
};

// The numbers, where the caller leaves them open (AdamW / SGD with momentum 0.9):
//   probe     a linear head: solved for, the penalty chosen by cross validation; then once more with the validation pictures. Other heads,
//   and
//             where epochs, batch, rate, decay or optimizer are given and there is no trial that they are of: 100 epochs, batch 32,
//             rate 1e-3 / 1e-2, decay 0.01 / 1e-3, no smoothing
//   finetune  head first as probe, 20 epochs; then 12 epochs, batch 16, rate 1e-3 / 1e-2, at the stem a hundredth of it, decay 0.05 / 1e-4,
//             smoothing 0.1
//   auto      of few pictures: probe, then finetune as a trial of few epochs, ended early, which must be better than the probe by more than
//             the standard error of their difference on the validation pictures; if not, the probe once more with these
//   full      batch 16, rate 3e-4 / 1e-2, from new weights 1e-3 / 5e-2; decay 0.05 / 1e-4, smoothing 0.1; 30 epochs, below 1000 pictures
//   10,
//             which bounds what a small folder costs, not what it could learn
// --epochs and --lr replace those of the last phase (of both of a probe), the others apply to every phase.
// Throws Error(usage) for options that contradict the recipe, or mean nothing to one that was asked for.
Plan make_plan(const TrainOptions& options, const Facts& facts);

// What the options make of the pictures before they are normalized and mixed; nothing where they are shown as they are. Without a policy it
// is the standard one: crops of 0.35 to 1 of the area, flips, brightness, contrast and saturation within 0.2. Others replace the colours.
std::optional<image::Augmentation> augmentation_of(const TrainOptions& options);
image::Mixing mixing_of(const TrainOptions& options);

const char* loss_name(const LossOptions& loss);  // "cross entropy"
const char* to_string(Recipe recipe);
const char* to_string(Optimizer optimizer);
const char* to_string(Augment policy);
const char* to_string(RateSchedule schedule);
const char* to_string(const OptimizerOptions& optimizer);  // as that of an Optimizer

}  // namespace fovea::training
