#include <algorithm>
#include <limits>

#include "backends/cpu/conv2d.h"

namespace fovea::cpu {

namespace {

DType type_of_maps(std::initializer_list<const Operand*> maps) {
  const DType first = (*maps.begin())->type.dtype;
  for (const Operand* map : maps)
    if (map->type.dtype != first) return DType::f64;
  return first;
}

}  // namespace

ConvProblem problem_of(const Conv2d& op, const Request& request) {
  ConvProblem problem{
      op.stride, op.padding, op.groups, request.inputs[0].type.shape, request.inputs[1].type.shape, request.outputs[0].type.shape};
  problem.bias = request.inputs.size() > 2;
  problem.maps = type_of_maps({&request.inputs[0], &request.outputs[0]});
  return problem;
}

ConvProblem problem_of(const FusedConv2d& op, const Request& request) {
  ConvProblem problem = problem_of(op.plain(), request);
  problem.bias = op.bias;
  problem.residual = op.residual;
  problem.activation = op.activation;
  if (op.residual) problem.maps = type_of_maps({&request.inputs[0], &request.outputs[0], &request.inputs.back()});
  return problem;
}

ConvProblem problem_of(const Conv2dInputGrad& op, const Request& request) {
  ConvProblem problem{
      op.stride, op.padding, op.groups, request.outputs[0].type.shape, request.inputs[0].type.shape, request.inputs[1].type.shape};
  problem.maps = type_of_maps({&request.inputs[1], &request.outputs[0]});
  return problem;
}

ConvProblem problem_of(const Conv2dWeightGrad& op, const Request& request) {
  ConvProblem problem{
      op.stride, op.padding, op.groups, request.inputs[0].type.shape, request.outputs[0].type.shape, request.inputs[1].type.shape};
  problem.maps = type_of_maps({&request.inputs[0], &request.inputs[1]});
  return problem;
}

std::string obstacle(const ConvProblem& problem, std::span<const Operand> inputs, std::span<const Operand> outputs,
                     bool rows_may_be_strided) {
  if (problem.maps == DType::f64) return "maps of several types";
  for (std::span<const Operand> operands : {inputs, outputs})
    for (const Operand& operand : operands) {
      if (!rows_may_be_strided && !is_dense(operand))
        return fmt::format("rows of {} lie {} apart", to_string(operand.type), operand.row_stride);
      if (operand.type.elements() == 0) return fmt::format("{} is empty", to_string(operand.type));
      const size_t bytes = static_cast<size_t>(rows_of(operand).count * rows_of(operand).stride) * sizeof(float);
      if (bytes > static_cast<size_t>(std::numeric_limits<int32_t>::max()))
        return fmt::format("{} has {} bytes and the library counts in 32 bits", to_string(operand.type), bytes);
    }
  return {};
}

std::string not_winograd(const ConvProblem& problem) {
  constexpr int64_t kLeastChannels = 32;  // with fewer the transforms cost what the products save
  const auto& [stride, padding, groups, x, w, y, bias, residual, activation, maps] = problem;
  if (w[2] != 3 || w[3] != 3) return fmt::format("kernel {}x{}, it takes 3x3", w[2], w[3]);
  if (stride != Size2{1, 1}) return fmt::format("stride {}x{}, it takes 1x1", stride.height, stride.width);
  if (groups != 1) return fmt::format("{} groups, it takes 1", groups);
  if (x.elements() == 0 || y.elements() == 0) return fmt::format("{} to {}, one is empty", to_string(x), to_string(y));
  if (std::min(x.channels(), y.channels()) < kLeastChannels)
    return fmt::format("{} channels to {}, it takes {} and more", x.channels(), y.channels(), kLeastChannels);
  return {};
}

dnnl::primitive_attr epilogue_attributes(const ConvProblem& problem, const memory::desc& residual) {
  using dnnl::algorithm;
  dnnl::primitive_attr attributes = plain_attributes();
  dnnl::post_ops after;
  if (problem.residual) after.append_binary(algorithm::binary_add, residual);
  switch (problem.activation) {
    case ActivationKind::identity:
      break;
    case ActivationKind::relu:
      after.append_eltwise(algorithm::eltwise_relu, 0.0f, 0.0f);
      break;
    case ActivationKind::relu6:
      after.append_eltwise(algorithm::eltwise_clip, 0.0f, 6.0f);
      break;
    case ActivationKind::silu:
      after.append_eltwise(algorithm::eltwise_swish, 1.0f, 0.0f);
      break;
    case ActivationKind::sigmoid:
      after.append_eltwise(algorithm::eltwise_logistic, 0.0f, 0.0f);
      break;
    case ActivationKind::hard_swish:
      after.append_eltwise(algorithm::eltwise_hardswish, 1.0f / 6, 0.5f);
      break;
    case ActivationKind::hard_sigmoid:
      after.append_eltwise(algorithm::eltwise_hardsigmoid, 1.0f / 6, 0.5f);
      break;
    case ActivationKind::gelu:
      after.append_eltwise(algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
      break;
    case ActivationKind::gelu_tanh:
      after.append_eltwise(algorithm::eltwise_gelu_tanh, 0.0f, 0.0f);
      break;
    case ActivationKind::quick_gelu:
      after.append_eltwise(algorithm::eltwise_swish, 1.702f, 0.0f);
      break;
    case ActivationKind::exp:
      after.append_eltwise(algorithm::eltwise_exp, 0.0f, 0.0f);
      break;
  }
  attributes.set_post_ops(after);
  return attributes;
}

}  // namespace fovea::cpu
