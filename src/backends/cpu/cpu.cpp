#include "backends/cpu/cpu.h"

#include <hwy/targets.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>

#include "backend/staged_kernel.h"
#include "backends/cpu/candidates.h"
#include "base/log.h"

namespace fovea::cpu {
namespace {

struct Row {
  std::string_view op, candidate;
  Candidate plan;
  bool bf16 = false;  // takes operands of either type; others get them converted
};

// One line a candidate; those of one operation are tried in this order.
constexpr Row kCandidates[] = {
    {"conv2d", "winograd", plan_conv2d_winograd},
    {"conv2d", "few_pixels", plan_conv2d_few_pixels, true},
    {"conv2d", "matmul", plan_conv2d_matmul, true},
    {"conv2d", "library_depthwise", plan_conv2d_library_depthwise},
    {"conv2d", "depthwise", plan_conv2d_depthwise, true},
    {"conv2d", "onednn", plan_conv2d_onednn, true},
    {"fused_conv2d", "winograd", plan_fused_conv2d_winograd},
    {"fused_conv2d", "few_pixels", plan_fused_conv2d_few_pixels, true},
    {"fused_conv2d", "matmul", plan_fused_conv2d_matmul, true},
    {"fused_conv2d", "library_depthwise", plan_fused_conv2d_library_depthwise},
    {"fused_conv2d", "depthwise", plan_fused_conv2d_depthwise, true},
    {"fused_conv2d", "onednn", plan_fused_conv2d_onednn, true},
    {"conv2d_input_grad", "matmul", plan_conv2d_input_grad_matmul, true},
    {"conv2d_input_grad", "winograd", plan_conv2d_input_grad_winograd},
    {"conv2d_input_grad", "depthwise", plan_conv2d_input_grad_depthwise, true},
    {"conv2d_input_grad", "onednn", plan_conv2d_input_grad_onednn, true},
    {"conv2d_weight_grad", "matmul", plan_conv2d_weight_grad_matmul, true},
    {"conv2d_weight_grad", "depthwise", plan_conv2d_weight_grad_depthwise, true},
    {"conv2d_weight_grad", "strided_1x1", plan_conv2d_weight_grad_strided_1x1},
    {"conv2d_weight_grad", "winograd", plan_conv2d_weight_grad_winograd},
    {"conv2d_weight_grad", "onednn", plan_conv2d_weight_grad_onednn, true},
    {"cast", "simd", plan_cast, true},
    {"activation", "simd", plan_activation, true},
    {"activation_grad", "simd", plan_activation_grad, true},
    {"add", "simd", plan_add, true},
    {"multiply", "simd", plan_multiply, true},
    {"broadcast_to", "simd", plan_broadcast_to, true},
    {"sum_to", "columns", plan_sum_columns, true},
    {"sum_to", "any", plan_sum_to},
    {"global_average_pool", "simd", plan_global_average_pool, true},
    {"max_pool2d", "simd", plan_max_pool2d, true},
    {"max_pool2d_grad", "simd", plan_max_pool2d_grad, true},
    {"average_pool2d", "simd", plan_average_pool2d, true},
    {"average_pool2d_grad", "simd", plan_average_pool2d_grad, true},
    {"blur_pool2d", "simd", plan_blur_pool2d, true},
    {"blur_pool2d_grad", "simd", plan_blur_pool2d_grad, true},
    {"adaptive_average_pool2d", "simd", plan_adaptive_average_pool2d, true},
    {"adaptive_average_pool2d_grad", "simd", plan_adaptive_average_pool2d_grad, true},
    {"resize_bicubic", "simd", plan_resize_bicubic, true},
    {"resize_bicubic_grad", "simd", plan_resize_bicubic_grad, true},
    {"batch_norm_training", "simd", plan_batch_norm_training, true},
    {"batch_norm_apply", "simd", plan_batch_norm_apply, true},
    {"batch_norm_training_grad", "simd", plan_batch_norm_training_grad, true},
    {"batch_norm_inference", "simd", plan_batch_norm_inference, true},
    {"batch_norm_inference_grad", "simd", plan_batch_norm_inference_grad, true},
    {"batch_norm_affine", "plain", plan_batch_norm_affine},
    {"fold_batch_norm", "plain", plan_fold_batch_norm},
    {"layer_norm", "simd", plan_layer_norm, true},
    {"layer_norm_grad", "simd", plan_layer_norm_grad, true},
    {"rms_norm", "simd", plan_rms_norm, true},
    {"rms_norm_grad", "simd", plan_rms_norm_grad, true},
    {"standardize_weight", "simd", plan_standardize_weight},
    {"standardize_weight_grad", "simd", plan_standardize_weight_grad},
    {"group_norm", "simd", plan_group_norm},
    {"group_norm_grad", "simd", plan_group_norm_grad},
    {"global_response_norm", "simd", plan_global_response_norm},
    {"global_response_norm_grad", "simd", plan_global_response_norm_grad},
    {"attention", "bf16", plan_attention_bf16, true},
    {"attention", "simd", plan_attention},
    {"attention_grad", "bf16", plan_attention_grad_bf16, true},
    {"attention_grad", "simd", plan_attention_grad},
    {"cross_attention", "simd", plan_cross_attention},
    {"cross_attention_grad", "simd", plan_cross_attention_grad},
    {"attention_probabilities", "simd", plan_attention_probabilities},
    {"random_mask", "plain", plan_random_mask, true},
    {"cross_entropy", "plain", plan_cross_entropy},
    {"cross_entropy_grad", "plain", plan_cross_entropy_grad},
    {"unary", "plain", plan_unary},
    {"log_softmax", "plain", plan_log_softmax},
    {"host_loss", "plain", plan_host_loss},
    {"soft_cross_entropy", "plain", plan_soft_cross_entropy},
    {"soft_cross_entropy_grad", "plain", plan_soft_cross_entropy_grad},
    {"binary_cross_entropy", "plain", plan_binary_cross_entropy},
    {"binary_cross_entropy_grad", "plain", plan_binary_cross_entropy_grad},
    {"sgd_update", "simd", plan_sgd_update},
    {"adamw_update", "simd", plan_adamw_update},
    {"rmsprop_update", "simd", plan_rmsprop_update},
    {"linear_sgd_update", "in parts", plan_linear_sgd_update, true},
    {"linear_adamw_update", "in parts", plan_linear_adamw_update, true},
    {"linear_rmsprop_update", "in parts", plan_linear_rmsprop_update, true},
    {"accumulate", "simd", plan_accumulate},
    {"squared_norm", "plain", plan_squared_norm},
    {"clip_factor", "plain", plan_clip_factor},
    {"constant", "plain", plan_constant},
    {"increment", "plain", plan_increment},
    {"concat", "copy", plan_concat, true},
    {"slice", "copy", plan_slice, true},
    {"pad", "copy", plan_pad, true},
    {"view", "copy", plan_view, true},
};

std::string signature(const Request& request) {
  std::string text(request.op.name());
  for (const Operand& input : request.inputs) text.append(" ").append(to_string(input.type));
  if (const std::string attributes = request.op.attributes(); !attributes.empty()) text.append(" ").append(attributes);
  return text;
}

bool has_bf16(const Request& request) {
  const auto narrow = [](const Operand& operand) { return operand.type.dtype == DType::bf16; };
  return std::ranges::any_of(request.inputs, narrow) || std::ranges::any_of(request.outputs, narrow);
}

std::string try_candidates(const Request& request, Planned& planned) {
  std::string refusals;
  for (const Row& row : kCandidates) {
    if (row.op != request.op.name()) continue;
    planned = has_bf16(request) && !row.bf16 ? refuse("no bf16") : row.plan(request);
    if (planned.kernel) {
      log("kernels", "{}: {} takes it ({})", signature(request), row.candidate, planned.kernel->describe());
      return {};
    }
    log("kernels", "{}: {} refuses: {}", signature(request), row.candidate, planned.refusal);
    refusals.append(refusals.empty() ? "" : "; ").append(row.candidate).append(": ").append(planned.refusal);
  }
  return refusals.empty() ? "no candidate is registered" : refusals;
}

// Where every candidate refuses because an operand is strided or bf16: plans the dense form, then the f32 form, and copies around it.
Planned plan_staged(const Request& request) {
  std::string refusals = "no operand is strided or bf16";
  for (const bool widen : {false, true}) {
    const auto inputs = backend::staged(request.inputs, widen), outputs = backend::staged(request.outputs, widen);
    if (backend::same_form(inputs, request.inputs) && backend::same_form(outputs, request.outputs)) continue;
    Planned planned;
    refusals = try_candidates({request.op, inputs, outputs}, planned);
    if (planned.kernel) return {backend::stage(std::move(planned.kernel), request.inputs, request.outputs, inputs, outputs), {}};
  }
  return refuse("{}", refusals);
}

constexpr std::string_view kTakeViews[] = {"concat",
                                           "slice",
                                           "add",
                                           "activation",
                                           "activation_grad",
                                           "batch_norm_training",
                                           "batch_norm_training_grad",
                                           "batch_norm_apply",
                                           "batch_norm_inference",
                                           "batch_norm_inference_grad",
                                           "max_pool2d",
                                           "max_pool2d_grad",
                                           "average_pool2d",
                                           "average_pool2d_grad",
                                           "global_average_pool"};

// Measured on two cores. All cores together lose a quarter of their time to waiting and to what lies in each other's caches.
constexpr DeviceTraits kTraits{.take_views = kTakeViews,
                               .multiply_adds_per_second = 200e9,
                               .bytes_per_second = 50e9,
                               .group_pictures = 8,
                               .group_weights = 0.2,
                               .all_cores = 1.25};

class CpuBackend final : public backend::Backend {
 public:
  std::string_view name() const override { return "cpu"; }
  std::string identity() const override {
    const dnnl_version_t& version = *dnnl_version();
    return fmt::format("oneDNN {}.{}.{} on {:#x}, own kernels on {:#x}", version.major, version.minor, version.patch,
                       static_cast<int64_t>(dnnl::get_effective_cpu_isa()), hwy::SupportedTargets());
  }
  bool supports(DType dtype) const override { return dtype == DType::f32 || dtype == DType::bf16; }
  const DeviceTraits& traits() const override { return kTraits; }

  std::unique_ptr<Kernel> plan(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs) const override {
    const Request request{op, inputs, outputs};
    for (std::span<const Operand> operands : {inputs, outputs}) {
      if (operands.size() > Bound::kMost)
        fail(ErrorKind::unsupported, "{} on cpu: {} operands, at most {} are possible", op.name(), operands.size(), Bound::kMost);
      for (const Operand& operand : operands)
        if (is_floating(operand.type.dtype) && !supports(operand.type.dtype))
          fail(ErrorKind::unsupported, "{} on cpu: {} is neither f32 nor bf16", op.name(), to_string(operand.type));
    }
    Planned planned;
    on_cores(threads(), [&] {
      const std::string refusals = try_candidates(request, planned);
      if (planned.kernel) return;
      planned = plan_staged(request);
      if (!planned.kernel) fail(ErrorKind::unsupported, "{} on cpu: {}", signature(request), refusals);
      log("kernels", "{}: {}", signature(request), planned.kernel->describe());
    });
    return std::move(planned.kernel);
  }
};

}  // namespace

const backend::Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace fovea::cpu
