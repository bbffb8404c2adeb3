// The weights of bicubic resampling as torch.nn.functional.interpolate(mode="bicubic", antialias=True, align_corners=False) has them, along
// one axis: for the resize_bicubic kernels and for position tables of another size.
#pragma once

#include <cstdint>
#include <vector>

namespace fovea {

// A point of the result is the sum of `weights[i]` times point `first + i`. The weights sum to 1.
struct BicubicWindow {
  int64_t first = 0;
  std::vector<double> weights;
};

// One window for each of the `to` points of the result; both sizes are at least 1. Keys' cubic with a = -0.5, widened by the scale where
// the result is smaller, cut off at the borders and normalized there.
std::vector<BicubicWindow> bicubic_windows(int64_t from, int64_t to);

}  // namespace fovea
