// Anti-aliased striding (Zhang 2019, arXiv:1904.11486): the binomial filter of three places along both axes, one place in `stride`.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x [N,C,H,W]) -> y [N,C,H',W'], H' = (H - 1) / stride + 1: place i is (1, 2, 1) / 4 around the row stride i. Beyond the border lies the
// row on the other side of it, or, without `reflect`, zeros.
struct BlurPool2d {
  static constexpr std::string_view kName = "blur_pool2d";
  int64_t stride = 2;
  bool reflect = true;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("stride", self.stride);
    visit("reflect", self.reflect);
  }
};
Types infer(const BlurPool2d&, std::span<const Type> inputs);
Cost cost(const BlurPool2d&, std::span<const Type> inputs, std::span<const Type> outputs);
void gradient(const BlurPool2d&, GradientContext&);

// (dy) -> dx [N,C,size]
struct BlurPool2dGrad {
  static constexpr std::string_view kName = "blur_pool2d_grad";
  int64_t stride = 2;
  bool reflect = true;
  Size2 size{1, 1};
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("stride", self.stride);
    visit("reflect", self.reflect);
    visit("size", self.size);
  }
};
Types infer(const BlurPool2dGrad&, std::span<const Type> inputs);
Cost cost(const BlurPool2dGrad&, std::span<const Type> inputs, std::span<const Type> outputs);

}  // namespace fovea
