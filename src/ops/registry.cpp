#include "ops/registry.h"

#include "base/error.h"
#include "ops/accumulate.h"
#include "ops/activation.h"
#include "ops/adamw_update.h"
#include "ops/add.h"
#include "ops/attention.h"
#include "ops/average_pool2d.h"
#include "ops/batch_norm.h"
#include "ops/blur_pool2d.h"
#include "ops/broadcast_to.h"
#include "ops/cast.h"
#include "ops/concat.h"
#include "ops/constant.h"
#include "ops/conv2d.h"
#include "ops/cross_attention.h"
#include "ops/cross_entropy.h"
#include "ops/dropout.h"
#include "ops/global_average_pool.h"
#include "ops/global_response_norm.h"
#include "ops/gradient_norm.h"
#include "ops/group_norm.h"
#include "ops/increment.h"
#include "ops/layer_norm.h"
#include "ops/linear_update.h"
#include "ops/max_pool2d.h"
#include "ops/multiply.h"
#include "ops/resize_bicubic.h"
#include "ops/rms_norm.h"
#include "ops/rmsprop_update.h"
#include "ops/sgd_update.h"
#include "ops/slice.h"
#include "ops/standardize_weight.h"
#include "ops/sum_to.h"
#include "ops/target_losses.h"
#include "ops/view.h"

namespace fovea {
namespace {

struct Row {
  std::string_view name;
  Op (*parse)(FieldTexts fields);
};

template <class T>
constexpr Row row() {
  return {T::kName, [](FieldTexts fields) -> Op { return parse_fields<T>(std::move(fields)); }};
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
    row<BatchNorm>(),
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
    row<Dropout>(),
    row<FoldBatchNorm>(),
    row<FusedConv2d>(),
    row<GlobalAveragePool>(),
    row<GlobalResponseNorm>(),
    row<GlobalResponseNormGrad>(),
    row<GroupNorm>(),
    row<GroupNormGrad>(),
    row<Increment>(),
    row<LayerNorm>(),
    row<LayerNormGrad>(),
    row<LinearUpdate<AdamWUpdate>>(),
    row<LinearUpdate<RmspropUpdate>>(),
    row<LinearUpdate<SgdUpdate>>(),
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
    row<View>(),
};
// clang-format on

}  // namespace

Op parse_op(std::string_view name, FieldTexts fields) {
  for (const Row& row : rows)
    if (row.name == name) return row.parse(std::move(fields));
  fail(ErrorKind::format, "'{}' is no operation", name);
}

std::vector<std::string_view> op_names() {
  std::vector<std::string_view> names;
  for (const Row& row : rows) names.push_back(row.name);
  return names;
}

}  // namespace fovea
