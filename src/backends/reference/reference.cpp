#include "backends/reference/reference.h"

#include <algorithm>
#include <optional>

#include "backend/staged_kernel.h"
#include "backends/reference/activation.h"
#include "backends/reference/attention.h"
#include "backends/reference/batch_norm.h"
#include "backends/reference/broadcast.h"
#include "backends/reference/conv2d.h"
#include "backends/reference/copy.h"
#include "backends/reference/cross_entropy.h"
#include "backends/reference/elementwise.h"
#include "backends/reference/global_response_norm.h"
#include "backends/reference/group_norm.h"
#include "backends/reference/layer_norm.h"
#include "backends/reference/optimizers.h"
#include "backends/reference/own_losses.h"
#include "backends/reference/pool.h"
#include "backends/reference/random_mask.h"
#include "backends/reference/resample.h"
#include "backends/reference/rms_norm.h"
#include "backends/reference/scalars.h"
#include "backends/reference/standardize_weight.h"
#include "backends/reference/target_losses.h"
#include "base/error.h"
#include "base/parallel.h"

namespace fovea::reference {
namespace {

using backend::Kernel;

// The type a kernel computes in: that of its first floating operand; an operation on integers alone runs as either.
std::optional<DType> computing_dtype(std::span<const Operand> inputs, std::span<const Operand> outputs) {
  for (const auto& operands : {inputs, outputs})
    for (const Operand& operand : operands)
      if (is_floating(operand.type.dtype)) return operand.type.dtype;
  return std::nullopt;
}

template <class OpT>
class LoopKernel final : public Kernel {
 public:
  LoopKernel(OpT op, std::span<const Operand> inputs, std::span<const Operand> outputs)
      : op_(std::move(op)),
        inputs_(inputs.begin(), inputs.end()),
        outputs_(outputs.begin(), outputs.end()),
        in_(inputs.size()),
        out_(outputs.size()),
        run_(computing_dtype(inputs, outputs) == DType::f32 ? &run_as<float> : &run_as<double>),
        slots_(threads()) {}

  size_t workspace_bytes() const override {
    if constexpr (requires { reference::workspace_bytes(op_, inputs_, outputs_, slots_); })
      return reference::workspace_bytes(op_, inputs_, outputs_, slots_);
    return 0;
  }
  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
    std::copy(inputs.begin(), inputs.end(), in_.begin());
    std::copy(outputs.begin(), outputs.end(), out_.begin());
    workspace_ = workspace;
  }
  void run() override { run_(op_, {inputs_, outputs_, in_, out_, workspace_, slots_}); }
  std::string describe() const override { return "reference"; }

 private:
  template <class T>
  static void run_as(const OpT& op, const Arguments& arguments) {
    reference::run<T>(op, arguments);
  }

  OpT op_;
  std::vector<Operand> inputs_, outputs_;
  std::vector<void*> in_, out_;
  void (*run_)(const OpT&, const Arguments&);
  void* workspace_ = nullptr;
  int64_t slots_;
};

struct Row {
  std::string_view name;
  std::unique_ptr<Kernel> (*plan)(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs);
};

template <class OpT>
constexpr Row row() {
  return {OpT::kName, [](const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs) -> std::unique_ptr<Kernel> {
            return std::make_unique<LoopKernel<OpT>>(*op.as<OpT>(), inputs, outputs);
          }};
}

// clang-format off
constexpr Row rows[] = {
    row<Accumulate>(),
    row<Activation>(),
    row<ActivationGrad>(),
    row<AdaptiveAveragePool2d>(),
    row<AdaptiveAveragePool2dGrad>(),
    row<AdamWUpdate>(),
    row<Add>(),
    row<Attention>(),
    row<AttentionGrad>(),
    row<AttentionProbabilities>(),
    row<AveragePool2d>(),
    row<AveragePool2dGrad>(),
    row<BatchNormAffine>(),
    row<BatchNormApply>(),
    row<BatchNormInference>(),
    row<BatchNormInferenceGrad>(),
    row<BatchNormTraining>(),
    row<BatchNormTrainingGrad>(),
    row<BinaryCrossEntropy>(),
    row<BinaryCrossEntropyGrad>(),
    row<BlurPool2d>(),
    row<BlurPool2dGrad>(),
    row<BroadcastTo>(),
    row<ClipFactor>(),
    row<Cast>(),
    row<Concat>(),
    row<Constant>(),
    row<Conv2d>(),
    row<Conv2dInputGrad>(),
    row<Conv2dWeightGrad>(),
    row<CrossAttention>(),
    row<CrossAttentionGrad>(),
    row<CrossEntropy>(),
    row<CrossEntropyGrad>(),
    row<FoldBatchNorm>(),
    row<FusedConv2d>(),
    row<GlobalAveragePool>(),
    row<GlobalResponseNorm>(),
    row<GlobalResponseNormGrad>(),
    row<GroupNorm>(),
    row<GroupNormGrad>(),
    row<HostLoss>(),
    row<Increment>(),
    row<LayerNorm>(),
    row<LayerNormGrad>(),
    row<LinearUpdate<AdamWUpdate>>(),
    row<LinearUpdate<RmspropUpdate>>(),
    row<LinearUpdate<SgdUpdate>>(),
    row<LogSoftmax>(),
    row<MaxPool2d>(),
    row<MaxPool2dGrad>(),
    row<Multiply>(),
    row<Pad>(),
    row<RandomMask>(),
    row<ResizeBicubic>(),
    row<ResizeBicubicGrad>(),
    row<RmsNorm>(),
    row<RmsNormGrad>(),
    row<RmspropUpdate>(),
    row<SgdUpdate>(),
    row<Slice>(),
    row<SoftCrossEntropy>(),
    row<SoftCrossEntropyGrad>(),
    row<SquaredNorm>(),
    row<StandardizeWeight>(),
    row<StandardizeWeightGrad>(),
    row<SumTo>(),
    row<Unary>(),
    row<fovea::View>(),
};
// clang-format on

bool widens(std::span<const Operand> operands, std::span<const Operand> wide) {
  return !std::ranges::equal(operands, wide, [](const Operand& a, const Operand& b) { return a.type == b.type; });
}

// It copies no view and is never waited for, so nothing is to be decided by what it takes.
constexpr DeviceTraits kTraits{};

class ReferenceBackend final : public backend::Backend {
 public:
  std::string_view name() const override { return "reference"; }
  bool supports(DType dtype) const override { return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16; }
  const DeviceTraits& traits() const override { return kTraits; }
  std::unique_ptr<Kernel> plan(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs) const override {
    if (const auto dtype = computing_dtype(inputs, outputs); dtype && !supports(*dtype))
      fail(ErrorKind::unsupported, "{}: the reference backend computes in f32 and f64, not in {}", op.name(), to_string(*dtype));
    // bf16 is how numbers lie in memory, never how they are computed with.
    const auto wide_inputs = backend::staged(inputs, true), wide_outputs = backend::staged(outputs, true);
    if (widens(inputs, wide_inputs) || widens(outputs, wide_outputs))
      return backend::stage(plan(op, wide_inputs, wide_outputs), inputs, outputs, wide_inputs, wide_outputs);
    for (const Row& row : rows)
      if (row.name == op.name()) return row.plan(op, inputs, outputs);
    fail(ErrorKind::unsupported, "{}: the reference backend has no kernel for it", op.name());
  }
};

}  // namespace

const backend::Backend& reference_backend() {
  static const ReferenceBackend backend;
  return backend;
}

}  // namespace fovea::reference
