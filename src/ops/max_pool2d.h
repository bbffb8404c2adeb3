// Maximum over windows; padding never wins.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x [N,C,H,W]) -> y [N,C,H',W'], argmax i32 [N,C,H',W'] (position y * W + x of the first maximum in its H x W plane)
struct MaxPool2d {
  static constexpr std::string_view kName = "max_pool2d";
  Size2 kernel{2, 2}, stride{2, 2};
  Padding2 padding;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("kernel", self.kernel);
    visit("stride", self.stride);
    visit("padding", self.padding);
  }
};
Types infer(const MaxPool2d&, std::span<const Type> inputs);
void gradient(const MaxPool2d&, GradientContext&);

// (dy, argmax) -> dx [N,C,size]
struct MaxPool2dGrad {
  static constexpr std::string_view kName = "max_pool2d_grad";
  Size2 kernel{2, 2}, stride{2, 2};
  Padding2 padding;
  Size2 size{1, 1};
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("kernel", self.kernel);
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit("size", self.size);
  }
};
Types infer(const MaxPool2dGrad&, std::span<const Type> inputs);

}  // namespace fovea
