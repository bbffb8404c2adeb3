#include "backends/cpu/cpu.h"

#include <hwy/targets.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>

#include "backends/cpu/candidates.h"
#include "base/log.h"

namespace fovea::cpu {
namespace {

struct Row {
  std::string_view op, candidate;
  Candidate plan;
};

// One line a candidate; those of one operation are tried in this order.
constexpr Row kCandidates[] = {
    {"conv2d", "matmul", plan_conv2d_matmul},
    {"conv2d", "winograd", plan_conv2d_winograd},
    {"conv2d", "library_depthwise", plan_conv2d_library_depthwise},
    {"conv2d", "depthwise", plan_conv2d_depthwise},
    {"conv2d", "onednn", plan_conv2d_onednn},
    {"fused_conv2d", "matmul", plan_fused_conv2d_matmul},
    {"fused_conv2d", "winograd", plan_fused_conv2d_winograd},
    {"fused_conv2d", "library_depthwise", plan_fused_conv2d_library_depthwise},
    {"fused_conv2d", "depthwise", plan_fused_conv2d_depthwise},
    {"fused_conv2d", "onednn", plan_fused_conv2d_onednn},
    {"conv2d_input_grad", "matmul", plan_conv2d_input_grad_matmul},
    {"conv2d_input_grad", "winograd", plan_conv2d_input_grad_winograd},
    {"conv2d_input_grad", "depthwise", plan_conv2d_input_grad_depthwise},
    {"conv2d_input_grad", "onednn", plan_conv2d_input_grad_onednn},
    {"conv2d_weight_grad", "matmul", plan_conv2d_weight_grad_matmul},
    {"conv2d_weight_grad", "depthwise", plan_conv2d_weight_grad_depthwise},
    {"conv2d_weight_grad", "strided_1x1", plan_conv2d_weight_grad_strided_1x1},
    {"conv2d_weight_grad", "winograd", plan_conv2d_weight_grad_winograd},
    {"conv2d_weight_grad", "onednn", plan_conv2d_weight_grad_onednn},
    {"activation", "simd", plan_activation},
    {"activation_grad", "simd", plan_activation_grad},
    {"add", "simd", plan_add},
    {"multiply", "simd", plan_multiply},
    {"broadcast_to", "simd", plan_broadcast_to},
    {"sum_to", "columns", plan_sum_columns},
    {"sum_to", "any", plan_sum_to},
    {"global_average_pool", "simd", plan_global_average_pool},
    {"max_pool2d", "simd", plan_max_pool2d},
    {"max_pool2d_grad", "simd", plan_max_pool2d_grad},
    {"average_pool2d", "simd", plan_average_pool2d},
    {"average_pool2d_grad", "simd", plan_average_pool2d_grad},
    {"adaptive_average_pool2d", "simd", plan_adaptive_average_pool2d},
    {"adaptive_average_pool2d_grad", "simd", plan_adaptive_average_pool2d_grad},
    {"resize_bicubic", "simd", plan_resize_bicubic},
    {"resize_bicubic_grad", "simd", plan_resize_bicubic_grad},
    {"batch_norm_training", "simd", plan_batch_norm_training},
    {"batch_norm_again", "simd", plan_batch_norm_again},
    {"batch_norm_training_grad", "simd", plan_batch_norm_training_grad},
    {"batch_norm_inference", "simd", plan_batch_norm_inference},
    {"batch_norm_inference_grad", "simd", plan_batch_norm_inference_grad},
    {"fold_batch_norm", "plain", plan_fold_batch_norm},
    {"layer_norm", "simd", plan_layer_norm},
    {"layer_norm_grad", "simd", plan_layer_norm_grad},
    {"standardize_weight", "simd", plan_standardize_weight},
    {"standardize_weight_grad", "simd", plan_standardize_weight_grad},
    {"group_norm", "simd", plan_group_norm},
    {"group_norm_grad", "simd", plan_group_norm_grad},
    {"global_response_norm", "simd", plan_global_response_norm},
    {"global_response_norm_grad", "simd", plan_global_response_norm_grad},
    {"attention", "simd", plan_attention},
    {"attention_grad", "simd", plan_attention_grad},
    {"attention_probabilities", "simd", plan_attention_probabilities},
    {"random_mask", "plain", plan_random_mask},
    {"cross_entropy", "plain", plan_cross_entropy},
    {"cross_entropy_grad", "plain", plan_cross_entropy_grad},
    {"soft_cross_entropy", "plain", plan_soft_cross_entropy},
    {"soft_cross_entropy_grad", "plain", plan_soft_cross_entropy_grad},
    {"binary_cross_entropy", "plain", plan_binary_cross_entropy},
    {"binary_cross_entropy_grad", "plain", plan_binary_cross_entropy_grad},
    {"sgd_update", "simd", plan_sgd_update},
    {"adamw_update", "simd", plan_adamw_update},
    {"rmsprop_update", "simd", plan_rmsprop_update},
    {"accumulate", "simd", plan_accumulate},
    {"squared_norm", "plain", plan_squared_norm},
    {"clip_factor", "plain", plan_clip_factor},
    {"constant", "plain", plan_constant},
    {"increment", "plain", plan_increment},
    {"concat", "copy", plan_concat},
    {"slice", "copy", plan_slice},
    {"pad", "copy", plan_pad},
    {"view", "copy", plan_view},
};

std::string signature(const Request& request) {
  std::string text(request.op.name());
  for (const Operand& input : request.inputs) text.append(" ").append(to_string(input.type));
  if (const std::string attributes = request.op.attributes(); !attributes.empty()) text.append(" ").append(attributes);
  return text;
}

std::string try_candidates(const Request& request, Planned& planned) {
  std::string refusals;
  for (const Row& row : kCandidates) {
    if (row.op != request.op.name()) continue;
    planned = row.plan(request);
    if (planned.kernel) {
      log("kernels", "{}: {} takes it ({})", signature(request), row.candidate, planned.kernel->describe());
      return {};
    }
    log("kernels", "{}: {} refuses: {}", signature(request), row.candidate, planned.refusal);
    refusals.append(refusals.empty() ? "" : "; ").append(row.candidate).append(": ").append(planned.refusal);
  }
  return refusals.empty() ? "no candidate is registered" : refusals;
}

class CpuBackend final : public backend::Backend {
 public:
  std::string_view name() const override { return "cpu"; }
  std::string identity() const override {
    const dnnl_version_t& version = *dnnl_version();
    return fmt::format("oneDNN {}.{}.{} on {:#x}, own kernels on {:#x}", version.major, version.minor, version.patch,
                       static_cast<int64_t>(dnnl::get_effective_cpu_isa()), hwy::SupportedTargets());
  }
  bool supports(DType dtype) const override { return dtype == DType::f32; }

  std::unique_ptr<Kernel> plan(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs) const override {
    const Request request{op, inputs, outputs};
    for (std::span<const Operand> operands : {inputs, outputs}) {
      if (operands.size() > Bound::kMost)
        fail(ErrorKind::unsupported, "{} on cpu: {} operands, at most {} are possible", op.name(), operands.size(), Bound::kMost);
      for (const Operand& operand : operands)
        if (is_floating(operand.type.dtype) && operand.type.dtype != DType::f32)
          fail(ErrorKind::unsupported, "{} on cpu: {} is not f32, the one type of numbers there", op.name(), to_string(operand.type));
    }
    threads();  // settles the number of threads before anything is sized by it
    Planned planned;
    std::string refusals = try_candidates(request, planned);
    if (!planned.kernel) {
      planned = plan_staged(request);
      if (!planned.kernel) fail(ErrorKind::unsupported, "{} on cpu: {}", signature(request), refusals);
      log("kernels", "{}: {}", signature(request), planned.kernel->describe());
    }
    return std::move(planned.kernel);
  }
};

// Copies rows to and from dense memory around a kernel that wants it.
class StagedKernel final : public Kernel {
 public:
  StagedKernel(std::unique_ptr<Kernel> kernel, std::span<const Operand> inputs, std::span<const Operand> outputs)
      : kernel_(std::move(kernel)), inputs_(place(inputs)), outputs_(place(outputs)) {
    inputs_dense_.resize(inputs.size());
    outputs_dense_.resize(outputs.size());
  }
  size_t workspace_bytes() const override { return bytes_ + kernel_->workspace_bytes(); }
  size_t packed_bytes(int input) const override { return kernel_->packed_bytes(input); }
  void pack(int input, const void* value, void* packed) override { kernel_->pack(input, value, packed); }

  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
    point(inputs_, inputs_dense_, inputs, workspace);
    point(outputs_, outputs_dense_, outputs, workspace);
    kernel_->bind(inputs_dense_, outputs_dense_, static_cast<std::byte*>(workspace) + bytes_);
  }

  void run() override {
    for (const Place& place : inputs_)
      if (place.staged) copy_rows(place.outside, place.rows.stride, place.dense, place.rows.channels, place.rows, place.element_bytes);
    kernel_->run();
    for (const Place& place : outputs_)
      if (place.staged && place.outside)
        copy_rows(place.dense, place.rows.channels, place.outside, place.rows.stride, place.rows, place.element_bytes);
  }
  std::string describe() const override { return kernel_->describe() + ", rows copied"; }

 private:
  struct Place {
    Rows rows;
    size_t element_bytes = 4, offset = 0;
    bool staged = false;
    void* outside = nullptr;
    void* dense = nullptr;
  };

  std::vector<Place> place(std::span<const Operand> operands) {
    std::vector<Place> places;
    for (const Operand& operand : operands) {
      Place next{rows_of(operand), size_of(operand.type.dtype), bytes_, operand.used && !is_dense(operand), nullptr, nullptr};
      if (next.staged) bytes_ += align64(operand.type.bytes());
      places.push_back(next);
    }
    return places;
  }

  static void point(std::vector<Place>& places, std::vector<void*>& dense, std::span<void* const> outside, void* workspace) {
    for (size_t i = 0; i < places.size(); ++i) {
      places[i].outside = outside[i];
      places[i].dense = places[i].staged ? static_cast<std::byte*>(workspace) + places[i].offset : outside[i];
      dense[i] = places[i].dense;
    }
  }

  static void copy_rows(const void* from, int64_t from_stride, void* to, int64_t to_stride, const Rows& rows, size_t element_bytes) {
    const auto bytes = static_cast<int64_t>(element_bytes);
    parallel_for(rows.count, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, rows.channels)), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        std::copy_n(static_cast<const std::byte*>(from) + row * from_stride * bytes, rows.channels * bytes,
                    static_cast<std::byte*>(to) + row * to_stride * bytes);
    });
  }

  std::unique_ptr<Kernel> kernel_;
  size_t bytes_ = 0;
  std::vector<Place> inputs_, outputs_;
  std::vector<void*> inputs_dense_, outputs_dense_;
};

}  // namespace

Planned plan_staged(const Request& request) {
  std::array<std::vector<Operand>, 2> dense;
  bool strided = false;
  for (size_t side = 0; side < 2; ++side)
    for (const Operand& operand : side == 0 ? request.inputs : request.outputs) {
      dense[side].push_back(operand);
      if (is_dense(operand)) continue;
      dense[side].back().row_stride = operand.type.shape.channels();
      strided = true;
    }
  if (!strided) return refuse("no operand is strided");
  Planned planned;
  if (std::string refusals = try_candidates({request.op, dense[0], dense[1]}, planned); !planned.kernel) return refuse("{}", refusals);
  return {std::make_unique<StagedKernel>(std::move(planned.kernel), request.inputs, request.outputs), {}};
}

const backend::Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace fovea::cpu
