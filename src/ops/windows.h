// What a place of a resampled row is made of: the places begin to end - 1 of the old row, by weights. Both bounds grow with the place. A
// map is resampled along its height and its width, and the weights multiply.
#pragma once

#include <algorithm>
#include <vector>

#include "base/bicubic.h"

namespace fovea {

struct MeanWindow {
  int64_t begin, end;
  double weight(int64_t) const { return 1.0 / static_cast<double>(end - begin); }
};

// AveragePool2d along one axis.
struct StridedMeans {
  int64_t kernel, stride;
  MeanWindow operator()(int64_t place) const { return {place * stride, place * stride + kernel}; }
};

// AdaptiveAveragePool2d along one axis.
struct AdaptiveMeans {
  int64_t from, to;
  MeanWindow operator()(int64_t place) const { return {place * from / to, ((place + 1) * from + to - 1) / to}; }
};

struct BlurWindow {
  int64_t begin, end;
  double weights[3];
  double weight(int64_t i) const { return weights[i - begin]; }
};

// BlurPool2d along one axis of `size` places.
struct BlurWindows {
  int64_t stride, size;
  bool reflect;
  BlurWindow operator()(int64_t place) const {
    const int64_t centre = place * stride, begin = std::max<int64_t>(centre - 1, 0), end = std::min(centre + 2, size);
    BlurWindow window{begin, end, {}};
    for (int64_t i = centre - 1; i <= centre + 1; ++i) {
      const bool inside = i >= 0 && i < size;
      if (!inside && !reflect) continue;
      window.weights[(inside ? i : 2 * centre - i) - begin] += i == centre ? 0.5 : 0.25;
    }
    return window;
  }
};

struct CubicWindow {
  int64_t begin, end;
  const double* weights;
  double weight(int64_t i) const { return weights[i - begin]; }
};

// ResizeBicubic along one axis.
class CubicWindows {
 public:
  CubicWindows(int64_t from, int64_t to) : windows_(bicubic_windows(from, to)) {}
  CubicWindow operator()(int64_t place) const {
    const BicubicWindow& window = windows_[static_cast<size_t>(place)];
    return {window.first, window.first + static_cast<int64_t>(window.weights.size()), window.weights.data()};
  }

 private:
  std::vector<BicubicWindow> windows_;
};

}  // namespace fovea
