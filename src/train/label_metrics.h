// How well classes that do not exclude each other are told.
#pragma once

#include <fovea/train.h>

#include <cstdint>
#include <span>
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

// The answers for many pictures.
class LabelTable {
 public:
  void add(std::span<const float> logits, std::span<const int32_t> labels);
  // Scores of the whole and of the evaluation's classes.
  void fill(Evaluation& evaluation) const;

 private:
  int64_t pictures_ = 0;
  std::vector<std::vector<float>> scores_;  // [class][picture]
  std::vector<std::vector<bool>> truth_;
};

}  // namespace fovea::training
