// Training on pictures whose classes are known, and measuring the result.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <fovea/api.h>
#include <fovea/architecture.h>
#include <fovea/dataset.h>
#include <fovea/model.h>
#include <fovea/pictures.h>

namespace fovea {

enum class Recipe {
  automatic,  // by pictures, classes and weights; on little data probe and finetune are both tried and the better one kept; the reason is
              // reported
  probe,      // the backbone frozen, its features computed once, a linear head fitted to convergence (logistic regression)
  finetune,   // the head first, then everything, with rates that fall with depth
  full,       // everything from the first step
};

enum class Preset {
  none,
  // BiT-HyperRule (Kolesnikov et al. 2020, arXiv:1912.11370): the recipe full with SGD, rate 0.003 for 512 pictures a step, 500, 10000 or
  // 20000 steps below 20000, 500000 and more pictures, a tenth of the rate at 30, 60 and 90 % of them, mixup from 20000 pictures on, a
  // linear head from zero; pictures (by the median of their areas) smaller than 96 x 96 resized to 160 x 160, of which random parts of
  // 128 x 128 train, others to 512 x 512 and 480 x 480; mirrored every other time
  bit,
};

enum class Optimizer { adamw, sgd, nesterov, rmsprop };  // rmsprop: TensorFlow's kind, as timm has it, eps 1e-3 inside the root
enum class RateSchedule { cosine, step, one_cycle, plateau, constant };
enum class Loss {
  automatic,  // cross entropy, or the binary one where pictures have several labels
  cross_entropy,
  focal,                 // focal: Lin et al. 2017, arXiv:1708.02002
  binary_cross_entropy,  // each class on its own
};
// Of decoded pictures, as torchvision's transforms.v2 does it, in the order of its reference training.
enum class Augment {
  off,       // no random crops, flips and colours
  light,     // mirrored, every other time
  standard,  // also crops of 0.35 to 1 of the area, and colours
  // In place of the colours a policy: Cubuk et al. 2019, arXiv:1909.13719, two operations, magnitude 9 of 31; Mueller and Hutter 2021,
  // arXiv:2103.10158, wide; Cubuk et al. 2018, arXiv:1805.09501, that of ImageNet.
  randaugment,
  trivialaugment,
  autoaugment,
};
enum class FeatureCache { automatic, memory, disk, off };  // automatic: in memory, beyond `feature_cache_bytes` on disk
enum class Choice { automatic, on, off };

struct EpochRow;
struct Evaluation;

// What TrainRegularization::loss_callback is given.
struct LossAnswers {
  int64_t pictures = 0, classes = 0;
  std::span<const float> logits, targets;  // [pictures, classes]
  std::span<float> gradient;               // of the loss by the logits; zeros
};

// Where a training is.
struct TrainProgress {
  std::string phase;                                   // "check", "features", then the recipe's
  int64_t epoch = 0, epochs = 0, step = 0, steps = 0;  // in the epoch
  double loss = 0;
  double best = -1;             // validation accuracy so far; below 0: none yet
  int64_t run = 0, runs = 0;    // with folds or seeds: which of how many; 0: the only one
  double validation_loss = -1;  // of the last epoch; below 0: none
  bool last = true;             // no other phase and no other run comes after this one
  double rate = 0;              // of the step
  int64_t pictures = 0;         // that the epoch's steps have taken so far
};

// Which pictures train, validate and test, and what is kept of them.
struct TrainData {
  double validation = 0.15;  // shares of the pictures, where a folder has no val/ and test/ of its own
  double test = 0;
  // K: K runs, each tested on a K-th of the pictures that it did not see and validated on a share of the others, then one on all pictures,
  // whose model is the result. Classes are dealt out evenly, copies of a picture stay together. Runs lie in `run.out`/fold-1 and so on.
  int64_t folds = 0;
  // N: everything N times, with the seeds from `run.seed` on, but the model of the first is the result. Runs lie in `run.out`/seed-S, that
  // of the first in `run.out`; with folds all in `run.out`/seed-S/fold-1 and so on. Without folds there must be pictures to test.
  int64_t seeds = 1;
  bool balanced_sampling = false;  // every class is drawn equally often
  FeatureCache feature_cache = FeatureCache::automatic;
  size_t feature_cache_bytes = size_t{1} << 30;
  // Memory for decoded pictures, or, where crops are not random, for pictures as the network gets them; those beyond it are decoded again
  // in each epoch. Changes no bit.
  size_t picture_cache_bytes = size_t{512} << 20;
};

// Length and steps of the phase that the recipe is about. What is empty is the recipe's, or the preset's, choice.
struct TrainOptimizer {
  std::optional<int64_t> epochs = {};
  std::optional<int64_t> batch_size = {};
  int64_t grad_accum_steps = 1;  // batches whose gradients make one step
  std::optional<Optimizer> kind = {};
  std::optional<double> lr = {};
  std::optional<RateSchedule> schedule = {};
  // The rate of a step of the optimizer, from 0, of so many in the phase that the recipe is about; in place of `lr`, `schedule` and
  // `warmup`. The groups of layers take the shares of it that they would take of `lr`.
  std::function<double(int64_t step, int64_t steps)> lr_of_step = {};
  std::optional<double> warmup = {};        // share of the steps over which the rate rises
  double momentum = 0.9;                    // of sgd, nesterov and rmsprop
  std::optional<double> weight_decay = {};  // not of norms and biases
  std::optional<double> layer_decay = {};   // a layer group's rate, of the one above it
  std::optional<double> clip_grad = {};     // the longest gradient, all parameters together; empty: not clipped
  // Decay of averages of all parameters and running statistics, which are then what is validated and saved; empty: none. At step n, from
  // 1, it is (1 + n) / (10 + n) where that is less.
  std::optional<double> ema_decay = {};
  std::optional<int64_t> patience = {};  // epochs without a better validation before the phase ends; empty: all epochs
};

// How pictures are changed before each look.
struct TrainAugmentation {
  std::optional<Augment> policy = {};  // empty: the recipe's
  // In place of all that is drawn here, but for mixup and cutmix: what a decoded picture becomes before it is fitted. `random` depends on
  // the seed, the epoch and the picture alone, and the same picture and number must give the same pixels. Called from several threads.
  std::function<Image(const Image& picture, uint64_t random)> of_picture = {};
  double vertical_flip = 0;  // probability, for pictures without an up and down
  // Probability that a rectangle of 0.02 to 0.33 of the area gets the mean color (Zhong et al. 2017, arXiv:1708.04896).
  double random_erasing = 0;
  // Alpha of the Beta distribution that says how much of the picture before it in the batch, and of its label, a picture takes: of every
  // pixel (mixup, Zhang et al. 2017, arXiv:1710.09412) or as a box (cutmix, Yun et al. 2019, arXiv:1905.04899). 0: none; with both each
  // batch takes one of them.
  double mixup = 0, cutmix = 0;
  int64_t stored_views = 0;  // augmented views of each picture kept in the feature cache of a frozen prefix
};

// The loss, and what keeps the network from learning its pictures by heart.
struct TrainRegularization {
  Loss loss = Loss::automatic;
  // In place of `loss` and its settings, one of: a function of logits and targets [N, classes, 1, 1] (1 or 0, or soft, several or mixed
  // ones), composed of fovea's operations to one number, which is differentiated as all else is,
  //   options.regularization.loss_of_maps = [](fovea::Map logits, fovea::Map targets) {
  //     return -1.0 / logits.batch() * sum(targets * log_softmax(logits));
  //   };
  // or a callback, which gets both as [N, classes], writes the gradient by each logit and returns the loss; it may throw. What is
  // validated is told by fovea's own loss. A head is then trained in steps.
  std::function<Map(Map logits, Map targets)> loss_of_maps = {};
  std::function<double(const LossAnswers&)> loss_callback = {};
  double focal_gamma = 2;
  bool class_weights = false;                   // the loss of a class's pictures counts by 1 / their number; 1 on average over the classes
  std::optional<double> label_smoothing = {};   // empty: the recipe's
  std::optional<double> dropout = {};           // before the classifier; empty: the network's
  std::optional<double> stochastic_depth = {};  // of the last block, falling linearly to 0 at the first; empty: the network's
};

// How pictures become the network's input; stored with the model. Empty: what the model does already, but where its head is replaced
// squash in place of the published crop, and white.
struct TrainViews {
  // A probe of few pictures then also tries the mean of the answers to the picture squashed and padded.
  std::optional<Fit> fit = {};
  std::optional<Fit> second_fit = {};  // with fit: the mean of the answers in both shapes
  bool fit_by_validation = false;      // the best of crop, pad, squash, and pad and squash together, by cross validation of the probe
  // The mirrored picture's answer averaged in: in validation, test and, as it is stored with the model, every later prediction. Automatic:
  // where cross validation of the probe says so; without a probe, as the model does. Off: no second shape is tried either.
  Choice mirrored = Choice::automatic;
  std::optional<Alpha> alpha = {};
  std::optional<Decode> decode = {};
  std::optional<ValueRange> range = {};
  std::optional<int64_t> page = {};
  bool keep_size = false;  // the model's own size stays, whatever the preset says
};

// What is written and told, and what the work may take.
struct TrainRun {
  uint64_t seed = 0;
  int threads = 0;  // 0: every core
  // What the training may take in all, the model's weights included. Steps then compute values again rather than keep them, as many as are
  // needed: they take longer, and no bit changes. Throws Error(usage) where the least possible is more. 0: no limit.
  size_t memory_bytes = 0;
  // The run's folder: model.safetensors, last.ckpt, history.csv, metrics.json, report.html, run.json (the command); empty: nothing is
  // written.
  std::string out = {};
  bool resume = false;  // continue the run in `out`
  // A run that is there already is replaced, whole or not at all: until this one is finished it lies in `out`.new. Without this and
  // `resume` it is an Error(usage).
  bool overwrite = false;
  // Within an epoch the run is saved when so much time has passed since it was saved last: the most that a kill loses.
  double checkpoint_seconds = 60;
  bool report = true;                     // report.html
  bool fingerprints = true;               // of the pictures in the model, so that `evaluate` knows them again
  bool tensorboard = false;               // event files in `out`/tensorboard
  std::vector<std::string> command = {};  // that repeats the run, for the report
  // One line of news. Without it, lines go to the sink of set_log_sink, where there is one.
  std::function<void(const std::string&)> note = {};
  // Called after every step; false: finish the step, save, and leave with `interrupted`.
  std::function<bool(const TrainProgress&)> progress = {};
  // Called by the thread that trains, after each epoch (also of a head that is solved for, and of every fold) and after each step. False
  // ends the run there as if no epochs were left: a step's epoch is validated, the best weights are kept and tested. What they throw, or
  // `progress` throws, ends the training and arrives at the caller; the run in `out` is saved before and can be resumed, and the model
  // holds the best weights so far.
  std::function<bool(const EpochRow&)> on_epoch = {};
  std::function<bool(const TrainProgress&)> on_step = {};
  // Asked for from any thread, it ends the training as `progress` does: after the step, or the batch of features, that is in work.
  std::stop_token cancel = {};
  // Of the validation pictures after each epoch, by name: in EpochRow::metrics, history.csv, metrics.json, the page and the event files.
  // May throw.
  std::map<std::string, std::function<double(const Evaluation&)>> metrics = {};
};

// What means nothing to a recipe that was asked for is an Error(usage); to one that was chosen, it is told.
//   fovea::train(model, "pictures", {.recipe = fovea::Recipe::finetune, .optimizer = {.epochs = 20, .lr = 1e-3}, .run = {.out = "run"}});
struct TrainOptions {
  Recipe recipe = Recipe::automatic;
  Preset preset = Preset::none;
  // "none", "all" (all but the head), a tap (everything up to and including it), "auto" (by the pictures of a class), or a pattern of
  // parameter names ("layer1.*", "*.bn*"); several with commas between; empty: what the model's own freeze() or the recipe says
  std::string freeze = {};
  std::optional<HeadOptions> head = {};  // empty: the one that the model has
  TrainData data = {};
  TrainOptimizer optimizer = {};
  TrainAugmentation augmentation = {};
  TrainRegularization regularization = {};
  TrainViews views = {};
  TrainRun run = {};
};

// What a number among the options may be, under the name that the command has for it ("lr").
struct FOVEA_API OptionRange {
  std::string_view option = {};
  double least = 0, most = 0;
  bool above = false, below = false;  // least and most are out of it
  bool whole = false;
  bool contains(double value) const;  // false for what is no number
  std::string words() const;          // "a number above 0 and below 1000"
};
// Throws Error(usage) for an option without one.
FOVEA_API const OptionRange& option_range(std::string_view option);

// The command that began the run in a folder, and where it was typed. Throws Error(input) where there is no run; one that no command
// began has no words.
struct RunCommand {
  std::vector<std::string> words;
  std::string directory;
};
FOVEA_API RunCommand run_command(const std::string& folder);

// Where a picture may have several labels, or none: each class is a question of its own, answered with yes from a probability on that is
// the class's threshold (Model::thresholds).
struct LabelScores {
  double mean_average_precision = 0;  // over the classes that some picture has; the step-wise sum over recalls, not interpolated
  double f1_macro = 0, f1_micro = 0;  // mean of the classes' F1; F1 of all answers together. 0 where nothing is and nothing was said
};

struct Score {
  double accuracy = 0;  // of several labels: the share of pictures with every class told rightly
  int64_t pictures = 0;
  std::optional<LabelScores> labels = {};  // only of several labels
};

// Of several runs: mean, sample standard deviation, and the 95 % confidence interval of the mean by Student's t with one degree of freedom
// fewer than there are values. Runs share training pictures, so the values are not independent and the interval is somewhat too narrow
// (Bengio and Grandvalet 2004, "No unbiased estimator of the variance of K-fold cross-validation").
struct Spread {
  double mean = 0, deviation = 0, low = 0, high = 0;
  std::vector<double> values = {};
  std::string of = "accuracy";  // or "mean_average_precision", where pictures have several labels
};

struct ClassScore {
  std::string name;
  int64_t pictures = 0, correct = 0;       // that have the class; of them, those told so
  double average_precision = -1, f1 = -1;  // of several labels; average precision below 0: no picture has the class
};

// What became of one picture.
struct Outcome {
  std::string file;
  int64_t label = 0, predicted = 0;  // into the classes; of several labels -1
  double confidence = 0;             // probability of what was predicted; of several labels: of the least certain answer
  std::vector<float> probabilities;  // by class
  std::vector<int64_t> labels = {};  // of several labels: all, ascending
  double label_probability = 0;      // of the label; of several labels 0
};

// What an evaluation keeps of each picture, beside what it counts.
struct EvaluateOptions {
  bool outcomes = true;
  bool probabilities = true;  // in each outcome those of all classes; without them Outcome::probabilities is empty
  std::function<bool(int64_t done, int64_t total)> progress = {};  // pictures; called now and then. false: stop there, and count those
};

// Pictures of an evaluation that the model knows: it was trained on them, or its best epoch was chosen by them. Told by the fingerprints
// that training leaves in the model file, which are hashes of pixels and of what survives another size or lossy storage.
struct SeenPicture {
  std::string file;
  bool same_pixels = false;  // else rescaled, stored with losses, or mirrored
};
struct SeenInTraining {
  int64_t recorded = 0;               // fingerprints in the model
  bool all = false;                   // no other picture was trained on: the first weights were random
  std::vector<SeenPicture> pictures;  // in the order of the evaluation's
  Score others;                       // of the pictures that are none of these
  double others_top5 = 0, others_loss = 0;
};

struct Evaluation {
  Score score;
  double top5 = 0;  // of several labels 0
  double loss = 0;  // mean cross entropy, or binary cross entropy
  std::vector<ClassScore> classes;
  std::vector<std::vector<int64_t>> confusion;  // [true][predicted]; empty for several labels
  std::vector<double> thresholds;               // of several labels: from which probability on each class was told (Model::thresholds)
  std::vector<Outcome> outcomes;                // in the order of the pictures
  std::vector<BadPicture> left_out;
  std::optional<SeenInTraining> seen;  // empty: nobody knows which pictures the model was trained on
  std::vector<BadPicture> unused;  // what else lies in the folder, what the CSV file has beside files and labels, and why it is not used
};

// A line of history.csv.
struct EpochRow {
  int64_t epoch = 0;  // of the run, from 1
  std::string phase;
  double train_loss = 0, train_accuracy = 0;                   // means over the epoch, as its steps saw the pictures
  std::optional<double> validation_loss, validation_accuracy;  // empty where nothing was validated
  std::optional<double> validation_precision;                  // mean average precision, only of several labels
  double rate = 0;                                             // of the last step
  double seconds = 0;                                          // since the run began, interruptions not counted
  double waited_seconds = 0;                                   // that the epoch's steps waited for pictures
  std::map<std::string, double> metrics = {};                  // the caller's own
};

struct TrainResult {
  Score validation, test;
  std::optional<Spread> folds, seeds;  // of the test pictures: of each fold (of each seed, one after the other), of each seed
  // With folds: every picture as the fold saw it that was not trained on it, of the first seed, in the order of the data.
  std::optional<Evaluation> out_of_fold;
  double seconds = 0;          // of all runs together
  std::string recipe, reason;  // what ran, and why
  // Of several labels: what the model tells each class by from now on (Model::thresholds), chosen on the validation pictures for the
  // greatest F1; one for all classes that fewer than ten of these have, or lack, and 0.5 where there are too few altogether. `validation`
  // tells by 0.5, since what is chosen on pictures is not measured on them; `test` by these.
  std::vector<double> thresholds = {};
  std::vector<BadPicture> left_out;
  int64_t epochs = 0, best_epoch = 0;
  std::vector<EpochRow> history;
  bool interrupted = false;
  // The most memory that the training took, the model's weights included: as planned before the steps, and as this process grew.
  size_t planned_bytes = 0, measured_bytes = 0;
};

// Labels from folders: one a class, or train/ val/ test/ with the classes below; or from a CSV file of files and labels, see
// `fovea train --help`. Where one of its pictures has several labels or none, classes are independent of each other. Replaces the head
// where the classes differ. The model holds the best weights afterwards (probe: those trained on the validation pictures too, once their
// accuracy is known). Test pictures are looked at once, at the end. The same seed and threads give the same bits, interrupted or not.
// Throws Error(input) for data that cannot be used; pictures that cannot be read are left out and listed.
FOVEA_API TrainResult train(Model& model, const std::string& folder, const TrainOptions& options = {});
// The same on a list of files, in any order: the name of the folder that a file lies in is its class. All pictures of a folder, listed,
// give the run that the folder gives, bit for bit, where they lie directly in their class folders. Throws Error(input) also for a file that
// is given twice.
FOVEA_API TrainResult train(Model& model, const std::vector<std::string>& files, const TrainOptions& options = {});

// The same on pictures from anywhere: those of Part::train train; where none is of Part::validation or Part::test they are taken from these
// by the options' shares. The pictures of a group stay together in every division, folds too, which are an Error(input) for a class that is
// all of one group. A dataset of indices without names trains the classes of the model where they are as many.
FOVEA_API TrainResult train(Model& model, const Dataset& data, const TrainOptions& options = {});

// What training with these options shows of pictures, to look at: a row for each picture, first as validation sees it, then in so many
// epochs; one picture alone fills several rows. Mixup and cutmix mix the pictures of a column, as they do those of a batch. Only the seed
// and what the options say about augmentation matter. Throws Error(usage) for mixing one picture with itself.
FOVEA_API Image augmentation_sheet(const std::vector<Image>& pictures, const Preprocessing& preprocessing, const TrainOptions& options,
                                   int64_t looks);

// The range test of rates (Smith 2015, arXiv:1506.01186): one short training in which the rate grows geometrically from step to step. It
// ends early where the loss diverges.
struct RateSearch {
  double lowest = 1e-6, highest = 1;
  int64_t steps = 100;
};
struct RateTrial {
  double rate = 0, loss = 0, smoothed = 0;  // smoothed: over the steps before
};
struct RateCurve {
  std::vector<RateTrial> trials;
  double suggestion = 0;  // where the smoothed loss falls fastest over the logarithm of the rate; 0: it never falls
  bool diverged = false;
  std::string recipe, optimizer;  // what it is a rate for
  int64_t batches = 0;            // looked at
};
// For the phase of the recipe that trains the network; `options.optimizer.lr` is not looked at. Cancelled, it gives the trials so far.
// Works on a copy: the model is as it was, nothing is written, and a training afterwards gives the bits that it would have given. Throws as
// `train` does, and Error(usage) for the recipe probe, which has no rate.
FOVEA_API RateCurve find_rate(const Model& model, const std::string& folder, const TrainOptions& options = {},
                              const RateSearch& search = {});
FOVEA_API RateCurve find_rate(const Model& model, const std::vector<std::string>& files, const TrainOptions& options = {},
                              const RateSearch& search = {});
FOVEA_API RateCurve find_rate(const Model& model, const Dataset& data, const TrainOptions& options = {}, const RateSearch& search = {});

// The loss (cross entropy) of prepared pictures and its gradients, as a first step of training would have them: batch norms use the
// batch's own statistics, dropout drops. What is frozen has none. The model does not change.
struct LossGradients {
  double loss = 0;
  std::map<std::string, Tensor> gradients;  // by parameter, in its shape
};
// `images` f32 [N, channels, height, width] (see preprocess), `labels` N classes. Throws Error(usage) for another number of labels or a
// label that is no class.
FOVEA_API LossGradients loss_gradients(const Model& model, const Tensor& images, const std::vector<int64_t>& labels);

// The classes that `train` would find, sorted bytewise, before a model is there. Throws as `train` does for data without classes to train
// on; no picture is looked at.
FOVEA_API std::vector<std::string> find_classes(const std::string& folder);
FOVEA_API std::vector<std::string> find_classes(const std::vector<std::string>& files);

// `folder` has folders named after the model's classes, each of `files` lies in one. Pictures that cannot be read are left out and listed.
FOVEA_API Evaluation evaluate(const Model& model, const std::string& folder, const EvaluateOptions& options = {});
FOVEA_API Evaluation evaluate(const Model& model, const std::vector<std::string>& files, const EvaluateOptions& options = {});
// All pictures of it, whatever their part, by the names of the classes; indices without names are those of the model's classes.
FOVEA_API Evaluation evaluate(const Model& model, const Dataset& data, const EvaluateOptions& options = {});

}  // namespace fovea
