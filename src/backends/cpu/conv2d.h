// What the convolution's candidates share.
#pragma once

#include "backends/cpu/onednn_kernel.h"
#include "ops/conv2d.h"

namespace fovea::cpu {

// Attributes and operands of any operation of the family.
struct ConvProblem {
  Size2 stride{1, 1};
  Padding2 padding;
  int64_t groups = 1;
  Shape x, w, y;
  bool bias = false, residual = false;
  ActivationKind activation = ActivationKind::identity;
  // Of the maps; weights, their gradient and the bias are f32 whatever these are. f64 stands for maps of several types, which no kernel
  // takes.
  DType maps = DType::f32;

  // A 1x1 convolution: each result from one vector of x.
  bool pointwise() const {
    return groups == 1 && w[2] == 1 && w[3] == 1 && padding == Padding2{} && x.height() == y.height() && x.width() == y.width();
  }
  // A linear layer: images have one pixel, or one column (tokens).
  bool linear() const { return pointwise() && x.width() == 1; }
  int64_t pixels() const { return x.batch() * x.height() * x.width(); }
  int64_t results() const { return y.batch() * y.height() * y.width(); }  // pixels too
  memory::dims strides() const { return {stride.height, stride.width}; }
  memory::dims padding_before() const { return {padding.top, padding.left}; }
  memory::dims padding_after() const { return {padding.bottom, padding.right}; }
};
ConvProblem problem_of(const Conv2d& op, const Request& request);
ConvProblem problem_of(const FusedConv2d& op, const Request& request);
ConvProblem problem_of(const Conv2dInputGrad& op, const Request& request);
ConvProblem problem_of(const Conv2dWeightGrad& op, const Request& request);

// Why the library must not be given these operands; empty where it may.
std::string obstacle(const ConvProblem& problem, std::span<const Operand> inputs, std::span<const Operand> outputs,
                     bool rows_may_be_strided = false);

// Why Winograd's algorithm is not for it, be it for lack of speed; empty where it may be.
std::string not_winograd(const ConvProblem& problem);

// Residual and activation as the library's post-operations; the residual is this argument of the primitive.
constexpr int kResidualArgument = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;
dnnl::primitive_attr epilogue_attributes(const ConvProblem& problem, const memory::desc& residual);

}  // namespace fovea::cpu
