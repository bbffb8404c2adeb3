// Counting how often a classifier is right.
#pragma once

#include <fovea/train.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fovea::training {

// The index of the largest; of equal ones the first.
int64_t argmax(std::span<const float> logits);
// -log softmax(logits)[label], in double.
double cross_entropy(std::span<const float> logits, int64_t label);
// In double, rounded once.
std::vector<float> softmax(std::span<const float> logits);
// Whether fewer than k logits are larger than the label's.
bool in_top(std::span<const float> logits, int64_t label, int64_t k);

class Tally {
 public:
  explicit Tally(std::vector<std::string> classes);

  // `file`: of the picture, for its outcome; without one none is kept.
  void add(std::span<const float> logits, int64_t label, const std::string& file = {});
  Evaluation finish() const;

 private:
  Evaluation counts_;
  int64_t top5_ = 0;
  double loss_ = 0;
};

}  // namespace fovea::training
