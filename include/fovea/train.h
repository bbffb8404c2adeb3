// Training on pictures whose classes are known, and measuring the result.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <fovea/model.h>
#include <fovea/pictures.h>

namespace fovea {

enum class Recipe {
  automatic,  // probe or finetune by the number of pictures, full for weights that start new; the reason is reported
  probe,      // the backbone frozen, its features computed once, the head trained on them
  finetune,   // the head first, then everything, with rates that fall with depth
  full,       // everything from the first step
};

enum class Optimizer { adamw, sgd };

// 0 or an empty text leaves a choice to the recipe.
struct TrainOptions {
  Recipe recipe = Recipe::automatic;
  std::string freeze = {};               // "none", "all", a tap; empty: what the model's own freeze() or the recipe says
  std::optional<HeadOptions> head = {};  // empty: the one that the model has
  int64_t epochs = 0;
  int64_t batch = 0;
  double rate = 0;
  Optimizer optimizer = Optimizer::adamw;
  bool optimizer_given = false;  // false: the recipe's own
  double weight_decay = -1;      // below 0: the recipe's
  double label_smoothing = -1;   // below 0: the recipe's
  double warmup = 0.1;           // share of the steps
  bool augment = true;
  // How pictures become the network's input; stored with the model. Empty: what the model does already, but where its head is replaced
  // squash in place of the published crop, and white.
  std::optional<Fit> fit = {};
  std::optional<Alpha> alpha = {};
  double validation = 0.15;  // shares of the pictures, where a folder has no val/ and test/ of its own
  double test = 0;
  uint64_t seed = 0;
  int threads = 0;       // 0: every core
  std::string out = {};  // the run's folder: model.safetensors, last.ckpt, history.csv, metrics.json; empty: nothing is written
  bool resume = false;   // continue the run in `out`
  std::function<void(const std::string&)> note = {};  // one line of news
  // Called after every step; false: finish the step, save, and leave with `interrupted`.
  struct Progress {
    std::string phase;                                   // "check", "features", then the recipe's
    int64_t epoch = 0, epochs = 0, step = 0, steps = 0;  // in the epoch
    double loss = 0;
  };
  std::function<bool(const Progress&)> progress = {};
};

struct Score {
  double accuracy = 0;
  int64_t pictures = 0;
};

struct TrainResult {
  Score validation, test;
  double seconds = 0;
  std::string recipe, reason;  // what ran, and why
  std::vector<BadPicture> left_out;
  int64_t epochs = 0, best_epoch = 0;
  bool interrupted = false;
  size_t planned_bytes = 0, measured_bytes = 0;  // of memory at the peak: the plan's, this process's
};

// Labels from folders: one a class, or train/ val/ test/ with the classes below. Replaces the head where the classes differ. The model
// holds the best weights afterwards (probe: those trained on the validation pictures too, once their accuracy is known). Test pictures
// are looked at once, at the end. The same seed and threads give the same bits, interrupted or not. Throws Error(input) for data that
// cannot be used; pictures that cannot be read are left out and listed.
TrainResult train(Model& model, const std::string& folder, const TrainOptions& options = {});
// The same on a list of files, in any order: the name of the folder that a file lies in is its class. All pictures of a folder, listed,
// give the run that the folder gives, bit for bit, where they lie directly in their class folders. Throws Error(input) also for a file that
// is given twice.
TrainResult train(Model& model, const std::vector<std::string>& files, const TrainOptions& options = {});

// The classes that `train` would find, sorted bytewise, before a model is there. Throws as `train` does for data without classes to train
// on; no picture is looked at.
std::vector<std::string> find_classes(const std::string& folder);
std::vector<std::string> find_classes(const std::vector<std::string>& files);

struct ClassScore {
  std::string name;
  int64_t pictures = 0, correct = 0;
};

struct Evaluation {
  Score score;
  double top5 = 0;
  double loss = 0;  // mean cross entropy
  std::vector<ClassScore> classes;
  std::vector<std::vector<int64_t>> confusion;  // [true][predicted]
  std::vector<BadPicture> left_out;
};

// `folder` has folders named after the model's classes, each of `files` lies in one. Pictures that cannot be read are left out and listed.
Evaluation evaluate(const Model& model, const std::string& folder);
Evaluation evaluate(const Model& model, const std::vector<std::string>& files);

}  // namespace fovea
