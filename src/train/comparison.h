// Two models on the same pictures.
#pragma once

#include <fovea/train.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fovea::training {

// Gives for each picture, in their order, 1 if it was classified correctly, else 0.
std::vector<int> correct_answers(const Evaluation& evaluation);

struct Comparison {
  double before = 0, after = 0;  // accuracies
  double error = 0;              // standard error of their difference, taken picture by picture
  int64_t pictures = 0;

  // The second is better by more than chance alone would often make it.
  bool convinces() const;
  std::string text(const char* first, const char* second) const;
};
Comparison compare(const std::vector<int>& before, const std::vector<int>& after);

}  // namespace fovea::training
