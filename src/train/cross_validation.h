// Several runs in place of one: folds, seeds, and what they say together.
#pragma once

#include <fovea/train.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "train/data.h"

namespace fovea::training {

// Mean, sample standard deviation and 95 % confidence interval by Student's t; of one value they are that value, 0 and that value.
Spread spread_of(std::vector<double> values, std::string of = "accuracy");
// {"accuracy_mean", "accuracy_std", "accuracy": [...], "accuracy_interval": [low, high]}, named after what it is of.
nlohmann::json spread_json(const Spread& spread);
// The 97.5 % point of Student's t, within 1e-4.
double student_t(int64_t degrees_of_freedom);

// file, true, predicted, confidence, then a probability a class: what became of each picture. Reading gives the same bits.
std::string predictions_csv(const std::vector<std::string>& classes, const std::vector<Outcome>& outcomes,
                            const std::vector<double>& thresholds);
// Throws Error(format) for a file that is no such list of these classes.
std::vector<Outcome> read_predictions(const std::filesystem::path& path, const std::vector<std::string>& classes, bool independent);
// The evaluation that gave these outcomes, or whose parts did.
Evaluation evaluate_outcomes(const std::vector<std::string>& classes, bool independent, std::vector<Outcome> outcomes);

// One of the runs: its pictures and its options, folder and seed among them.
struct PartialRun {
  std::string name;  // "fold 2 of 5", "seed 3, fold 2 of 5"
  TrainOptions options;
  Data data;
};
// What it came to: the test pictures' outcomes; nothing where it was interrupted.
struct PartialResult {
  Score score;
  std::vector<Outcome> outcomes;
  double seconds = 0;
};
using RunOne = std::function<std::optional<PartialResult>(PartialRun&)>;

struct CrossValidation {
  std::optional<Spread> folds, seeds;
  std::optional<Evaluation> out_of_fold;
  double seconds = 0;  // of all its runs
  bool interrupted = false;
};

// Calls `run` for every fold of every seed, or, without folds, for every seed but the first, which is the caller's own run, whose data and
// folder `options` and `data` are. `data`: every picture looked at, and, in splits, the validation and test pictures that have a place of
// their own; folds divide the others and the former. Throws Error(usage) for seeds without pictures to test, or folds that cannot be.
CrossValidation cross_validate(const TrainOptions& options, const Data& data, const RunOne& run);
// Puts the score of the caller's own run, once it is there, in its place among the seeds.
void add_first_seed(CrossValidation& validation, const Score& score);

}  // namespace fovea::training
