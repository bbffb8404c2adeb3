// Convolution on oneDNN, forward and backward. Activations stay channels-last as they are; only weights change their form.
#include "backends/cpu/conv2d.h"

#include <string_view>

#include "backends/cpu/candidates.h"

namespace fovea::cpu {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;

struct ConvDescs {
  memory::desc x, y, w, any_w;
  explicit ConvDescs(const ConvProblem& problem)
      : x(pixels_desc(problem.x, onednn_type(problem.maps))),
        y(pixels_desc(problem.y, onednn_type(problem.maps))),
        w(weights_desc(problem.w, problem.groups)),
        any_w(any_form(w, onednn_type(problem.maps))) {}
};

dnnl::convolution_forward::primitive_desc forward_desc(const ConvProblem& problem, const ConvDescs& descs, prop_kind prop) {
  const memory::desc bias =
      problem.bias ? memory::desc({problem.y.channels()}, memory::data_type::f32, memory::format_tag::a) : memory::desc();
  return {onednn_engine(),
          prop,
          algorithm::convolution_direct,
          descs.x,
          descs.any_w,
          bias,
          descs.y,
          problem.strides(),
          {0, 0},
          problem.padding_before(),
          problem.padding_after(),
          epilogue_attributes(problem, descs.y),
          true};
}

// oneDNN's products on AMX tiles give wrong sums for some patches, as of 2x2 or 4x4 pixels: strided kernels without padding whose channels
// do not fill whole tiles, which hold 32 of them. Met in oneDNN 3.2.
bool faulty_on_tiles(const ConvProblem& problem) {
  const bool padded = problem.padding_before() != memory::dims{0, 0} || problem.padding_after() != memory::dims{0, 0};
  const bool strided = problem.strides() != memory::dims{1, 1};
  return problem.maps == DType::bf16 && problem.w[2] * problem.w[3] > 1 && strided && !padded && problem.x.channels() % 32 != 0;
}

// What the backward descriptions are built from.
dnnl::convolution_forward::primitive_desc hint(const ConvProblem& problem, const ConvDescs& descs) {
  return forward_desc(problem, descs, prop_kind::forward_training);
}

template <class Desc>
OneDnnArgument weights_argument(size_t index, const ConvDescs& descs, const Desc& desc, const Operand& weights) {
  return {DNNL_ARG_WEIGHTS, index, descs.w, desc.weights_desc(), false, weights.constant};
}

Planned plan_onednn_forward(const Request& request, const ConvProblem& problem) {
  if (std::string reason = obstacle(problem, request.inputs, request.outputs); !reason.empty()) return refuse("{}", reason);
  const ConvDescs descs(problem);
  auto desc = forward_desc(problem, descs, prop_kind::forward_inference);
  if (!desc) return refuse("the library has no such convolution");
  while (faulty_on_tiles(problem) && std::string_view(desc.impl_info_str()) == "brgconv:avx512_core_amx")
    if (!desc.next_impl()) return refuse("the library errs in such patches on AMX tiles");
  std::vector<OneDnnArgument> arguments{OneDnnArgument::in(DNNL_ARG_SRC, 0, descs.x), weights_argument(1, descs, desc, request.inputs[1]),
                                        OneDnnArgument::out(DNNL_ARG_DST, 0, descs.y)};
  if (problem.bias) arguments.push_back(OneDnnArgument::in(DNNL_ARG_BIAS, 2, desc.bias_desc()));
  if (problem.residual) arguments.push_back(OneDnnArgument::in(kResidualArgument, problem.bias ? 3 : 2, descs.y));
  return {std::make_unique<OneDnnKernel>(dnnl::convolution_forward(desc), desc.scratchpad_desc(), desc.impl_info_str(), arguments), {}};
}

}  // namespace

Planned plan_conv2d_onednn(const Request& request) { return plan_onednn_forward(request, problem_of(*request.op.as<Conv2d>(), request)); }
Planned plan_fused_conv2d_onednn(const Request& request) {
  return plan_onednn_forward(request, problem_of(*request.op.as<FusedConv2d>(), request));
}

namespace {
// oneDNN 3.2 computes some of these wrongly on AVX-512; mended in 3.4.2.
bool faulty(const ConvProblem& problem) { return problem.maps == DType::bf16 && problem.groups > 1 && problem.w[1] == 1; }
}  // namespace

Planned plan_conv2d_input_grad_onednn(const Request& request) {
  const ConvProblem problem = problem_of(*request.op.as<Conv2dInputGrad>(), request);
  if (faulty(problem)) return refuse("the library errs in depthwise gradients in bf16");
  if (std::string reason = obstacle(problem, request.inputs, request.outputs); !reason.empty()) return refuse("{}", reason);
  const ConvDescs descs(problem);
  const auto forward = hint(problem, descs);
  if (!forward) return refuse("the library has no such convolution");
  const dnnl::convolution_backward_data::primitive_desc desc(onednn_engine(), algorithm::convolution_direct, descs.x, descs.any_w, descs.y,
                                                             problem.strides(), {0, 0}, problem.padding_before(), problem.padding_after(),
                                                             forward, plain_attributes(), true);
  if (!desc) return refuse("the library has no such input gradient");
  std::vector<OneDnnArgument> arguments{weights_argument(0, descs, desc, request.inputs[0]),
                                        OneDnnArgument::in(DNNL_ARG_DIFF_DST, 1, descs.y),
                                        OneDnnArgument::out(DNNL_ARG_DIFF_SRC, 0, descs.x)};
  return {std::make_unique<OneDnnKernel>(dnnl::convolution_backward_data(desc), desc.scratchpad_desc(), desc.impl_info_str(), arguments),
          {}};
}

Planned plan_conv2d_weight_grad_onednn(const Request& request) {
  const ConvProblem problem = problem_of(*request.op.as<Conv2dWeightGrad>(), request);
  if (faulty(problem)) return refuse("the library errs in depthwise gradients in bf16");
  if (std::string reason = obstacle(problem, request.inputs, request.outputs); !reason.empty()) return refuse("{}", reason);
  const ConvDescs descs(problem);
  const auto forward = hint(problem, descs);
  if (!forward) return refuse("the library has no such convolution");
  dnnl::convolution_backward_weights::primitive_desc desc(
      onednn_engine(), algorithm::convolution_direct, descs.x, any_form(descs.w, memory::data_type::f32), descs.y, problem.strides(),
      {0, 0}, problem.padding_before(), problem.padding_after(), forward, plain_attributes(), true);
  if (!desc) return refuse("the library has no such weight gradient");
  const memory::desc form = desc.diff_weights_desc();
  std::vector<OneDnnArgument> arguments{OneDnnArgument::in(DNNL_ARG_SRC, 0, descs.x),
                                        OneDnnArgument::in(DNNL_ARG_DIFF_DST, 1, descs.y),
                                        {DNNL_ARG_DIFF_WEIGHTS, 0, descs.w, form, true}};
  return {std::make_unique<OneDnnKernel>(dnnl::convolution_backward_weights(desc), desc.scratchpad_desc(), desc.impl_info_str(), arguments),
          {}};
}

}  // namespace fovea::cpu
