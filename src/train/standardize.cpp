#include "train/standardize.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace fovea::training {

void Standardization::count(std::span<const float> row) {
  // Welford's update: no difference of large sums.
  ++rows_;
  for (size_t i = 0; i < mean_.size(); ++i) {
    const double x = static_cast<double>(row[i]), away = x - mean_[i];
    mean_[i] += away / static_cast<double>(rows_);
    square_[i] += away * (x - mean_[i]);
  }
}

void Standardization::finish() {
  if (rows_ == 0) return;
  for (size_t i = 0; i < scale_.size(); ++i) scale_[i] = std::sqrt(square_[i] / static_cast<double>(rows_));
  constexpr double kLeast = 0.01;
  const double average = std::accumulate(scale_.begin(), scale_.end(), 0.0) / static_cast<double>(scale_.size());
  const double least = average > 0 ? kLeast * average : 1.0;
  for (double& scale : scale_) scale = std::max(scale, least);
}

void Standardization::apply(std::span<const float> row, std::span<float> result) const {
  for (size_t i = 0; i < row.size(); ++i) result[i] = static_cast<float>((static_cast<double>(row[i]) - mean_[i]) / scale_[i]);
}

void Standardization::fold(std::span<float> weight, std::span<float> bias) const {
  const size_t width = scale_.size();
  for (size_t k = 0; k < bias.size(); ++k) {
    const auto row = weight.subspan(k * width, width);
    double shift = 0;
    for (size_t i = 0; i < width; ++i) {
      const double folded = static_cast<double>(row[i]) / scale_[i];
      shift += folded * mean_[i];
      row[i] = static_cast<float>(folded);
    }
    bias[k] = static_cast<float>(static_cast<double>(bias[k]) - shift);
  }
}

}  // namespace fovea::training
