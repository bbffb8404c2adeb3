// Answers as lists of numbers, to be compared to the bit.
#pragma once

#include <fovea/model.h>

#include <vector>

namespace fovea {

inline std::vector<double> numbers(const std::vector<ClassProbability>& classes) {
  std::vector<double> result;
  for (const ClassProbability& one : classes) {
    result.push_back(static_cast<double>(one.index));
    result.push_back(one.probability);
  }
  return result;
}

inline std::vector<float> numbers(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

}  // namespace fovea
