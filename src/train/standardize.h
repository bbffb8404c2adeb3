// Features brought to mean 0 and deviation 1 while a linear head trains on them, and the head brought back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fovea::training {

// x' = (x - mean) / scale. Pooled features differ a hundredfold in size; a linear head on the raw ones needs that many times more steps.
class Standardization {
 public:
  explicit Standardization(int64_t width) : mean_(static_cast<size_t>(width)), square_(mean_.size()), scale_(mean_.size(), 1.0) {}

  void count(std::span<const float> row);
  // After every row was counted. The scale is the deviation, but at least a hundredth of the average one: what hardly ever changes is
  // not blown up.
  void finish();

  void apply(std::span<const float> row, std::span<float> result) const;
  // Weight [classes, width] and bias [classes] of a head on x' become those of the same function of x: w / scale, b - w mean / scale.
  void fold(std::span<float> weight, std::span<float> bias) const;

 private:
  int64_t rows_ = 0;
  std::vector<double> mean_, square_, scale_;
};

}  // namespace fovea::training
