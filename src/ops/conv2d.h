// Two-dimensional convolution (cross-correlation, as every framework has it), grouped and strided; a linear layer is a 1x1 one.
#pragma once

#include "ir/gradient.h"
#include "ops/activation.h"

namespace fovea {

// (x [N,I,H,W], w [O,I/groups,kh,kw] (, bias [1,O,1,1])) -> y [N,O,H',W'], H' = (H + top + bottom - kh) / stride + 1
struct Conv2d {
  static constexpr std::string_view kName = "conv2d";
  Size2 stride{1, 1};
  Padding2 padding;  // zeros
  int64_t groups = 1;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit("groups", self.groups);
  }
};
Types infer(const Conv2d&, std::span<const Type> inputs);
Cost cost(const Conv2d&, std::span<const Type> inputs, std::span<const Type> outputs);
void gradient(const Conv2d&, GradientContext&);

// (w, dy) -> dx [N,I,height,width]
struct Conv2dInputGrad {
  static constexpr std::string_view kName = "conv2d_input_grad";
  Size2 stride{1, 1};
  Padding2 padding;
  int64_t groups = 1;
  Size2 size{1, 1};  // of x
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit("groups", self.groups);
    visit("size", self.size);
  }
};
Types infer(const Conv2dInputGrad&, std::span<const Type> inputs);
Cost cost(const Conv2dInputGrad&, std::span<const Type> inputs, std::span<const Type> outputs);

// (x, dy) -> dw [O,I/groups,kernel]
struct Conv2dWeightGrad {
  static constexpr std::string_view kName = "conv2d_weight_grad";
  Size2 stride{1, 1};
  Padding2 padding;
  int64_t groups = 1;
  Size2 kernel{1, 1};
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit("groups", self.groups);
    visit("kernel", self.kernel);
  }
};
Types infer(const Conv2dWeightGrad&, std::span<const Type> inputs);
inline bool stays_float(const Conv2dWeightGrad&, int) { return true; }
Cost cost(const Conv2dWeightGrad&, std::span<const Type> inputs, std::span<const Type> outputs);

// What fuse_epilogue makes: (x, w (, bias) (, residual [N,O,H',W'])) -> y = activation(conv2d(x, w) + bias + residual)
struct FusedConv2d {
  static constexpr std::string_view kName = "fused_conv2d";
  Size2 stride{1, 1};
  Padding2 padding;
  int64_t groups = 1;
  bool bias = false, residual = false;  // which optional inputs are there
  ActivationKind activation = ActivationKind::identity;
  template <class Self, class Visit>
  static void fields(Self& self, Visit&& visit) {
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit("groups", self.groups);
    visit("bias", self.bias);
    visit("residual", self.residual);
    visit("activation", self.activation);
  }
  Conv2d plain() const { return {stride, padding, groups}; }
};
Types infer(const FusedConv2d&, std::span<const Type> inputs);
Cost cost(const FusedConv2d&, std::span<const Type> inputs, std::span<const Type> outputs);
// The plain operations it stands for; inputs as above, returns y.
Value compose(const FusedConv2d&, std::span<const Value> inputs, const std::string& name);

}  // namespace fovea
