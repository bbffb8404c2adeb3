// The same memory under another shape.
#pragma once

#include "ir/gradient.h"

namespace fovea {

// (x) -> y of the shape, with as many elements. Defined in memory order: rank 4 is N, H, W, C, others row-major. So a map [N,C,H,W] becomes
// the tokens [N,C,H*W,1] and back, and a table stored as [1,T,C] the tokens [1,C,T,1], without an element moving.
struct View {
  static constexpr std::string_view kName = "view";
  Shape shape;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("shape", self.shape);
  }
};
Types infer(const View&, std::span<const Type> inputs);
void gradient(const View&, GradientContext&);
bool overwrites(const View&, int input, int output);  // y may take x's place: then nothing is copied

}  // namespace fovea
