// Counting how often a classifier is right.
#pragma once

#include <fovea/train.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image/folder.h"
#include "train/label_metrics.h"

namespace fovea::training {

// The index of the largest; of equal ones the first.
int64_t argmax(std::span<const float> logits);
// -log softmax(logits)[label], in double.
double cross_entropy(std::span<const float> logits, int64_t label);
// The same of soft targets, a number a class; independent: the mean over the classes of binary cross entropies.
double target_loss(std::span<const float> logits, std::span<const float> targets, bool independent);
// What runs and epochs are compared by: accuracy, or mean average precision where pictures have several labels.
double measure_of(const Score& score);
// Computes in double and rounds once.
std::vector<float> softmax(std::span<const float> logits);
// Whether fewer than k logits are larger than the label's.
bool in_top(std::span<const float> logits, int64_t label, int64_t k);

class Tally {
 public:
  // `independent`: pictures may have several labels, or none. `thresholds`: of such classes, one each; empty: 0.5. `keep`: of the outcomes.
  explicit Tally(std::vector<std::string> classes, bool independent = false, std::vector<double> thresholds = {},
                 const EvaluateOptions& keep = {});

  // `file`: of the picture, for its outcome; without one none is kept.
  void add(std::span<const float> logits, int64_t label, const std::string& file = {});
  // The picture's one label, or its labels where classes are independent.
  void add(std::span<const float> logits, const image::Sample& sample, bool keep_outcome);
  Evaluation finish() const;

 private:
  void add_labels(std::span<const float> logits, std::span<const int32_t> labels, const std::string& file);

  Evaluation counts_;
  const bool independent_, outcomes_, probabilities_;
  LabelTable table_;  // where they are
  int64_t top5_ = 0;
  double loss_ = 0;
};

}  // namespace fovea::training
