// How well classes that do not exclude each other are told.
#pragma once

#include <fovea/train.h>

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace fovea::training {

double sigmoid(double logit);
// Mean over the classes, in double, without overflow; `labels`: the classes that the picture has.
double binary_cross_entropy(std::span<const float> logits, std::span<const int32_t> labels);

// Sum over falling scores of precision times the gain in recall, equal scores taken together (scikit-learn's average_precision_score).
// Below 0 where `truth` has no yes.
double average_precision(std::span<const float> scores, const std::vector<bool>& truth);

struct Counts {
  int64_t right = 0, wrong = 0, missed = 0;  // yes that is so, yes that is not so, no that is not so
};
// 2 right / (2 right + wrong + missed), 0 for 0 / 0.
double f1_of(const Counts& counts);

// From which probability on each class is best told, by answers to pictures whose labels are known: that of the greatest F1, halfway
// between two answers; of several the one nearest to 0.5. A class that fewer than kLeastAnswers pictures have, or lack, goes by the
// threshold of the greatest F1 of all answers together, and where they are fewer than that altogether by 0.5.
constexpr int64_t kLeastAnswers = 10;
std::vector<double> best_thresholds(std::span<const Outcome> outcomes, size_t classes);

// The answers for many pictures.
class LabelTable {
 public:
  // `thresholds`: a probability a class, from which on it is told; empty: 0.5.
  explicit LabelTable(std::vector<double> thresholds = {}) : thresholds_(std::move(thresholds)) {}

  void add(std::span<const float> logits, std::span<const int32_t> labels);
  // Scores of the whole and of the evaluation's classes.
  void fill(Evaluation& evaluation) const;

 private:
  std::vector<double> thresholds_;
  int64_t pictures_ = 0;
  std::vector<std::vector<float>> scores_;  // [class][picture]
  std::vector<std::vector<bool>> truth_;
};

}  // namespace fovea::training
