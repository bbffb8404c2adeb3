// Means over windows.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x [N,C,H,W]) -> y [N,C,H',W'], H' = (H - kernel) / stride + 1
struct AveragePool2d {
  static constexpr std::string_view kName = "average_pool2d";
  Size2 kernel{2, 2};
  Size2 stride{2, 2};
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("kernel", self.kernel);
    visit("stride", self.stride);
  }
};
Types infer(const AveragePool2d&, std::span<const Type> inputs);
void gradient(const AveragePool2d&, GradientContext&);

// (dy) -> dx [N,C,size]
struct AveragePool2dGrad {
  static constexpr std::string_view kName = "average_pool2d_grad";
  Size2 kernel{2, 2};
  Size2 stride{2, 2};
  Size2 size{1, 1};
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("kernel", self.kernel);
    visit("stride", self.stride);
    visit("size", self.size);
  }
};
Types infer(const AveragePool2dGrad&, std::span<const Type> inputs);

// (x [N,C,H,W]) -> y [N,C,size]: place i averages the rows floor(i H / height) to ceil((i + 1) H / height) - 1, columns likewise (as
// torch.nn.AdaptiveAvgPool2d); the size may be larger than H x W
struct AdaptiveAveragePool2d {
  static constexpr std::string_view kName = "adaptive_average_pool2d";
  Size2 size{1, 1};
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("size", self.size);
  }
};
Types infer(const AdaptiveAveragePool2d&, std::span<const Type> inputs);
void gradient(const AdaptiveAveragePool2d&, GradientContext&);

// (dy [N,C,h,w]) -> dx [N,C,size]
struct AdaptiveAveragePool2dGrad {
  static constexpr std::string_view kName = "adaptive_average_pool2d_grad";
  Size2 size{1, 1};
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("size", self.size);
  }
};
Types infer(const AdaptiveAveragePool2dGrad&, std::span<const Type> inputs);

}  // namespace fovea
