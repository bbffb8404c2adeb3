// Bicubic resampling as torch.nn.functional.interpolate(mode="bicubic", antialias=True, align_corners=False) does it: position embeddings
// for pictures of another size. The weights: base/bicubic.h.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x [N,C,H,W]) -> y [N,C,size]; the cubic of a = -0.5, widened by the scale where the result is smaller, weights normalized at the borders
struct ResizeBicubic {
  static constexpr std::string_view kName = "resize_bicubic";
  Size2 size{1, 1};
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("size", self.size);
  }
};
Types infer(const ResizeBicubic&, std::span<const Type> inputs);
void gradient(const ResizeBicubic&, GradientContext&);

// (dy [N,C,h,w]) -> dx [N,C,size]: the transposed map
struct ResizeBicubicGrad {
  static constexpr std::string_view kName = "resize_bicubic_grad";
  Size2 size{1, 1};
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("size", self.size);
  }
};
Types infer(const ResizeBicubicGrad&, std::span<const Type> inputs);

}  // namespace fovea
