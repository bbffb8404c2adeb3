#include "base/bicubic.h"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

// Keys 1981, "Cubic convolution interpolation for digital image processing", equation 4.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

}  // namespace

std::vector<BicubicWindow> bicubic_windows(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to), wide = std::max(scale, 1.0), reach = 2 * wide;
  std::vector<BicubicWindow> windows(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    BicubicWindow& window = windows[static_cast<size_t>(i)];
    const double centre = scale * (static_cast<double>(i) + 0.5);
    window.first = std::max<int64_t>(static_cast<int64_t>(centre - reach + 0.5), 0);
    const int64_t end = std::min(static_cast<int64_t>(centre + reach + 0.5), from);
    double sum = 0;
    for (int64_t at = window.first; at < end; ++at) {
      window.weights.push_back(cubic((static_cast<double>(at) - centre + 0.5) / wide));
      sum += window.weights.back();
    }
    for (double& weight : window.weights) weight /= sum;
  }
  return windows;
}

}  // namespace fovea
