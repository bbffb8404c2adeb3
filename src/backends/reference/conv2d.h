#pragma once

#include "backends/reference/convolution.h"
#include "ops/conv2d.h"

namespace fovea::reference {

template <class OpT>
ConvGeometry geometry_of(const OpT& op, const Shape& x, const Shape& w, const Shape& y) {
  return {x.batch(),
          op.groups,
          x.channels() / op.groups,
          y.channels() / op.groups,
          {x.height(), x.width()},
          {y.height(), y.width()},
          {w[2], w[3]},
          op.stride,
          op.padding};
}

inline ConvGeometry geometry(const Conv2d& op, std::span<const Operand> inputs, std::span<const Operand> outputs) {
  return geometry_of(op, inputs[0].type.shape, inputs[1].type.shape, outputs[0].type.shape);
}
inline ConvGeometry geometry(const FusedConv2d& op, std::span<const Operand> inputs, std::span<const Operand> outputs) {
  return geometry_of(op, inputs[0].type.shape, inputs[1].type.shape, outputs[0].type.shape);
}
inline ConvGeometry geometry(const Conv2dInputGrad& op, std::span<const Operand> inputs, std::span<const Operand> outputs) {
  return geometry_of(op, outputs[0].type.shape, inputs[0].type.shape, inputs[1].type.shape);
}
inline ConvGeometry geometry(const Conv2dWeightGrad& op, std::span<const Operand> inputs, std::span<const Operand> outputs) {
  return geometry_of(op, inputs[0].type.shape, outputs[0].type.shape, inputs[1].type.shape);
}

inline size_t workspace_bytes(const Conv2d& op, std::span<const Operand> inputs, std::span<const Operand> outputs, int64_t slots) {
  return forward_workspace_bytes(geometry(op, inputs, outputs), slots);
}
inline size_t workspace_bytes(const FusedConv2d& op, std::span<const Operand> inputs, std::span<const Operand> outputs, int64_t slots) {
  return forward_workspace_bytes(geometry(op, inputs, outputs), slots);
}
inline size_t workspace_bytes(const Conv2dInputGrad& op, std::span<const Operand> inputs, std::span<const Operand> outputs, int64_t slots) {
  return input_grad_workspace_bytes(geometry(op, inputs, outputs), slots);
}

template <class T>
void run(const Conv2d& op, const Arguments& a) {
  const auto y = a.output<T>(0);
  const bool has_bias = a.inputs.size() > 2;
  const auto bias = a.input<T>(has_bias ? 2 : 1);
  convolve(geometry(op, a.inputs, a.outputs), a.input<T>(0), a.input<T>(1), a, [&](const Pixel& p, int64_t o, double sum) {
    y.at(p.n, o, p.h, p.w) = static_cast<T>(has_bias ? sum + bias.at(0, o, 0, 0) : sum);
  });
}

template <class T>
void run(const FusedConv2d& op, const Arguments& a) {
  const auto y = a.output<T>(0);
  const auto bias = a.input<T>(op.bias ? 2 : 1), residual = a.input<T>(op.residual ? a.inputs.size() - 1 : 0);
  convolve(geometry(op, a.inputs, a.outputs), a.input<T>(0), a.input<T>(1), a, [&](const Pixel& p, int64_t o, double sum) {
    if (op.bias) sum += bias.at(0, o, 0, 0);
    if (op.residual) sum += residual.at(p.n, o, p.h, p.w);
    y.at(p.n, o, p.h, p.w) = static_cast<T>(activate(op.activation, sum));
  });
}

template <class T>
void run(const Conv2dInputGrad& op, const Arguments& a) {
  convolve_back_to_input(geometry(op, a.inputs, a.outputs), a.input<T>(0), a.input<T>(1), a.output<T>(0), a);
}

template <class T>
void run(const Conv2dWeightGrad& op, const Arguments& a) {
  convolve_back_to_weight(geometry(op, a.inputs, a.outputs), a.input<T>(0), a.input<T>(1), a.output<T>(0));
}

}  // namespace fovea::reference
