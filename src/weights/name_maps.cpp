#include "weights/name_map.h"

namespace fovea::weights {
namespace {

// Maps between the names of torchvision (left) and those of timm (right), of the same network. ResNet and DenseNet have the same names in
// both.
struct Layouts {
  const char* family;
  std::string_view rules;
};

// timm writes the dense layers of VGG as convolutions over the last map.
constexpr Layouts kLayouts[] = {
    {"vgg", R"(
classifier.{0,3,6}.** <-> {pre_logits.fc1,pre_logits.fc2,head.fc}.**
)"},

    // The blocks of the first stage do not expand.
    {"efficientnet", R"(
features.0.{0,1}.** <-> {conv_stem,bn1}.**
features.1.*.block.{0.0,0.1,1.fc1,1.fc2,2.0,2.1}.** <-> blocks.0.*.{conv_dw,bn1,se.conv_reduce,se.conv_expand,conv_pw,bn2}.**
features.{2..7}.*.block.{0.0,0.1,1.0,1.1,2.fc1,2.fc2,3.0,3.1}.** <-> blocks.{1..6}.*.{conv_pw,bn1,conv_dw,bn2,se.conv_reduce,se.conv_expand,conv_pwl,bn3}.**
features.8.{0,1}.** <-> {conv_head,bn2}.**
classifier.1.** <-> classifier.**
)"},

    // Three stages of fused blocks, of which the first does not expand; then three (S) or four stages, then the last convolution.
    {"efficientnet-v2", R"(
features.0.{0,1}.** <-> {conv_stem,bn1}.**
features.1.*.block.{0.0,0.1}.** <-> blocks.0.*.{conv,bn1}.**
features.{2,3}.*.block.{0.0,0.1,1.0,1.1}.** <-> blocks.{1,2}.*.{conv_exp,bn1,conv_pwl,bn2}.**
features.{4..7}.*.block.{0.0,0.1,1.0,1.1,2.fc1,2.fc2,3.0,3.1}.** <-> blocks.{3..6}.*.{conv_pw,bn1,conv_dw,bn2,se.conv_reduce,se.conv_expand,conv_pwl,bn3}.**
features.7.{0,1}.** <-> {conv_head,bn2}.**
features.8.{0,1}.** <-> {conv_head,bn2}.**
classifier.1.** <-> classifier.**
)"},

    // torchvision numbers the blocks through.
    {"mobilenet-v2", R"(
features.0.{0,1}.** <-> {conv_stem,bn1}.**
features.1.conv.{0.0,0.1,1,2}.** <-> blocks.0.0.{conv_dw,bn1,conv_pw,bn2}.**
features.{2..17}.conv.{0.0,0.1,1.0,1.1,2,3}.** <-> blocks.{1.0,1.1,2.0,2.1,2.2,3.0,3.1,3.2,3.3,4.0,4.1,4.2,5.0,5.1,5.2,6.0}.{conv_pw,bn1,conv_dw,bn2,conv_pwl,bn3}.**
features.18.{0,1}.** <-> {conv_head,bn2}.**
classifier.1.** <-> classifier.**
)"},

    // A block without squeeze-excite projects in its third part, one with it in its fourth.
    {"mobilenet-v3-large", R"(
features.0.{0,1}.** <-> {conv_stem,bn1}.**
features.1.block.{0.0,0.1,1.0,1.1}.** <-> blocks.0.0.{conv_dw,bn1,conv_pw,bn2}.**
features.{2..15}.block.{0.0,0.1,1.0,1.1,2.fc1,2.fc2,3.0,3.1}.** <-> blocks.{1.0,1.1,2.0,2.1,2.2,3.0,3.1,3.2,3.3,4.0,4.1,5.0,5.1,5.2}.{conv_pw,bn1,conv_dw,bn2,se.conv_reduce,se.conv_expand,conv_pwl,bn3}.**
features.{2..15}.block.{2.0,2.1}.** <-> blocks.{1.0,1.1,2.0,2.1,2.2,3.0,3.1,3.2,3.3,4.0,4.1,5.0,5.1,5.2}.{conv_pwl,bn3}.**
features.16.{0,1}.** <-> blocks.6.0.{conv,bn1}.**
classifier.{0,3}.** <-> {conv_head,classifier}.**
)"},

    {"mobilenet-v3-small", R"(
features.0.{0,1}.** <-> {conv_stem,bn1}.**
features.1.block.{0.0,0.1,1.fc1,1.fc2,2.0,2.1}.** <-> blocks.0.0.{conv_dw,bn1,se.conv_reduce,se.conv_expand,conv_pw,bn2}.**
features.{2..11}.block.{0.0,0.1,1.0,1.1,2.fc1,2.fc2,3.0,3.1}.** <-> blocks.{1.0,1.1,2.0,2.1,2.2,3.0,3.1,4.0,4.1,4.2}.{conv_pw,bn1,conv_dw,bn2,se.conv_reduce,se.conv_expand,conv_pwl,bn3}.**
features.{2..11}.block.{2.0,2.1}.** <-> blocks.{1.0,1.1,2.0,2.1,2.2,3.0,3.1,4.0,4.1,4.2}.{conv_pwl,bn3}.**
features.12.{0,1}.** <-> blocks.5.0.{conv,bn1}.**
classifier.{0,3}.** <-> {conv_head,classifier}.**
)"},

    // torchvision's features alternate between a stage and what leads to it. Layer scale is (C,1,1) there, (C) here.
    {"convnext", R"(
features.0.** <-> stem.**
features.{2,4,6}.{0,1}.** <-> stages.{1,2,3}.downsample.{0,1}.**
features.{1,3,5,7}.*.block.{0,2,3,5}.** <-> stages.{0,1,2,3}.blocks.*.{conv_dw,norm,mlp.fc1,mlp.fc2}.**
features.{1,3,5,7}.*.layer_scale <-> stages.{0,1,2,3}.blocks.*.gamma
classifier.{0,2}.** <-> {head.norm,head.fc}.**
)"},

    // torchvision's first files had linear_1 and linear_2.
    {"vit", R"(
{class_token,encoder.pos_embedding} <-> {cls_token,pos_embed}
conv_proj.** <-> patch_embed.proj.**
encoder.layers.encoder_layer_*.{ln_1,self_attention.out_proj,ln_2,mlp.0,mlp.3}.** <-> blocks.*.{norm1,attn.proj,norm2,mlp.fc1,mlp.fc2}.**
encoder.layers.encoder_layer_*.self_attention.in_proj_{weight,bias} <-> blocks.*.attn.qkv.{weight,bias}
encoder.layers.encoder_layer_*.{mlp.linear_1,mlp.linear_2}.** -> blocks.$1.{mlp.fc1,mlp.fc2}.$2
encoder.ln.** <-> norm.**
heads.head.** <-> head.**
)"},
};

constexpr std::string_view kOldVit = R"(
**.mlp.{linear_1,linear_2}.** -> $1.mlp.{0,3}.$2
)";

// The ConvNeXt authors' own names (github.com/facebookresearch/ConvNeXt and ConvNeXt-V2), to timm's, then to torchvision's.
constexpr std::string_view kConvNeXt = R"(
downsample_layers.0.** -> stem.$1
downsample_layers.*.** -> stages.$1.downsample.$2
stages.*.*.{dwconv,norm,pwconv1,pwconv2}.** -> stages.$1.blocks.$2.{conv_dw,norm,mlp.fc1,mlp.fc2}.$3
stages.*.*.{gamma,grn.gamma,grn.beta} -> stages.$1.blocks.$2.{gamma,mlp.grn.weight,mlp.grn.bias}
norm.** -> head.norm.$1
head.** -> head.fc.$1
downsample_layers.{0,1,2,3}.** -> features.{0,2,4,6}.$1
stages.{0,1,2,3}.*.{dwconv,norm,pwconv1,pwconv2}.** -> features.{1,3,5,7}.$1.block.{0,2,3,5}.$2
stages.{0,1,2,3}.*.gamma -> features.{1,3,5,7}.$1.layer_scale
norm.** -> classifier.0.$1
head.** -> classifier.2.$1
)";

// DINO and DINOv2 (github.com/facebookresearch/dinov2): timm's names and what only the training needs; a whole training checkpoint has the
// network under `backbone`.
constexpr std::string_view kDino = R"(
drop mask_token
drop backbone.mask_token
drop dino_head.**
drop ibot_head.**
drop head.mlp.**
drop head.last_layer.**
backbone.** -> $1
)";

// The transformers library's networks, to timm's names. What its classes put before the names of the network proper (`vit.`, `convnext.`,
// `vision_model.`) is the first wildcard.
constexpr std::string_view kTransformersVit = R"(
drop text_model.**
drop text_projection.**
drop logit_scale
drop logit_bias
drop **pooler.dense.**
drop **embeddings.mask_token
drop **embeddings.position_ids
drop decoder.**
**embeddings.{cls_token,class_embedding,distillation_token,register_tokens} -> {cls_token,cls_token,dist_token,reg_token}
**embeddings.{position_embeddings,position_embedding.weight} -> {pos_embed,pos_embed}
**embeddings.{patch_embeddings.projection,patch_embedding}.** -> {patch_embed.proj,patch_embed.proj}.$2
**pre_layrnorm.** -> norm_pre.$2
**layer.*.{layernorm_before,layernorm_after,attention.attention.qkv,attention.output.dense,intermediate.dense,output.dense}.** -> blocks.$2.{norm1,norm2,attn.qkv,attn.proj,mlp.fc1,mlp.fc2}.$3
**layer.*.{norm1,norm2,mlp.fc1,mlp.fc2,mlp.weights_in,mlp.weights_out}.** -> blocks.$2.{norm1,norm2,mlp.fc1,mlp.fc2,mlp.fc1,mlp.fc2}.$3
**layer.*.{layer_scale1,layer_scale2}.lambda1 -> blocks.$2.{ls1,ls2}.gamma
**layers.*.{layer_norm1,layer_norm2,self_attn.qkv,self_attn.out_proj,mlp.fc1,mlp.fc2}.** -> blocks.$2.{norm1,norm2,attn.qkv,attn.proj,mlp.fc1,mlp.fc2}.$3
**head.probe -> attn_pool.latent
**head.{attention.q,attention.kv,attention.out_proj,layernorm,mlp.fc1,mlp.fc2}.** -> attn_pool.{q,kv,proj,norm,mlp.fc1,mlp.fc2}.$2
cls_classifier.** -> head.$1
distillation_classifier.** -> head_dist.$1
classifier.** -> head.$1
visual_projection.** -> head.$1
**post_layernorm.** -> norm.$2
**layernorm.** -> norm.$2
)";

constexpr std::string_view kTransformersConvNeXt = R"(
**embeddings.{patch_embeddings,layernorm}.** -> stem.{0,1}.$2
**encoder.stages.*.downsampling_layer.** -> stages.$2.downsample.$3
**encoder.stages.*.layers.*.{dwconv,layernorm,pwconv1,pwconv2,grn}.** -> stages.$2.blocks.$3.{conv_dw,norm,mlp.fc1,mlp.fc2,mlp.grn}.$4
**encoder.stages.*.layers.*.layer_scale_parameter -> stages.$2.blocks.$3.gamma
classifier.** -> head.fc.$1
**layernorm.** -> head.norm.$2
)";

constexpr std::string_view kTransformersResNet = R"(
**embedder.embedder.{convolution,normalization}.** -> {conv1,bn1}.$2
**encoder.stages.{0,1,2,3}.layers.*.shortcut.convolution.** -> layer{1,2,3,4}.$2.downsample.0.$3
**encoder.stages.{0,1,2,3}.layers.*.shortcut.normalization.** -> layer{1,2,3,4}.$2.downsample.1.$3
**encoder.stages.{0,1,2,3}.layers.*.layer.{0,1,2}.convolution.** -> layer{1,2,3,4}.$2.conv{1,2,3}.$3
**encoder.stages.{0,1,2,3}.layers.*.layer.{0,1,2}.normalization.** -> layer{1,2,3,4}.$2.bn{1,2,3}.$3
classifier.1.** -> fc.$1
)";

constexpr std::string_view kTransformersBit = R"(
**embedder.convolution.** -> stem.conv.$2
**encoder.stages.*.layers.*.** -> stages.$2.blocks.$3.$4
classifier.1.** -> head.fc.$1
bit.norm.** -> norm.$1
)";

// Blocks numbered through, as in the first port of EfficientNet.
constexpr std::string_view kTransformersEfficientNet = R"(
blocks blocks.*.*
**embeddings.{convolution,batchnorm}.** -> {conv_stem,bn1}.$2
**encoder.blocks.*.expansion.{expand_conv,expand_bn}.** -> blocks.#2.{conv_pw,bn1}.$3
**encoder.blocks.*.depthwise_conv.depthwise_conv.** -> blocks.#2.conv_dw.$3
**encoder.blocks.*.depthwise_conv.depthwise_norm.** -> blocks.#2.bn2.$3 if blocks.#2.conv_pwl.weight
**encoder.blocks.*.depthwise_conv.depthwise_norm.** -> blocks.#2.bn1.$3
**encoder.blocks.*.squeeze_excite.{reduce,expand}.** -> blocks.#2.se.{conv_reduce,conv_expand}.$3
**encoder.blocks.*.projection.project_conv.** -> blocks.#2.conv_pwl.$3 if blocks.#2.conv_pwl.weight
**encoder.blocks.*.projection.project_conv.** -> blocks.#2.conv_pw.$3
**encoder.blocks.*.projection.project_bn.** -> blocks.#2.bn3.$3 if blocks.#2.conv_pwl.weight
**encoder.blocks.*.projection.project_bn.** -> blocks.#2.bn2.$3
**encoder.{top_conv,top_bn}.** -> {conv_head,bn2}.$2
)";

// Layers numbered through: a depthwise convolution, then a pointwise one.
constexpr std::string_view kTransformersMobileNetV1 = R"(
**conv_stem.{convolution,normalization}.** -> {conv_stem,bn1}.$2
**layer.{0,2,4,6,8,10,12,14,16,18,20,22,24}.convolution.** -> blocks.{0.0,1.0,1.1,2.0,2.1,3.0,3.1,3.2,3.3,3.4,3.5,4.0,4.1}.conv_dw.$2
**layer.{0,2,4,6,8,10,12,14,16,18,20,22,24}.normalization.** -> blocks.{0.0,1.0,1.1,2.0,2.1,3.0,3.1,3.2,3.3,3.4,3.5,4.0,4.1}.bn1.$2
**layer.{1,3,5,7,9,11,13,15,17,19,21,23,25}.convolution.** -> blocks.{0.0,1.0,1.1,2.0,2.1,3.0,3.1,3.2,3.3,3.4,3.5,4.0,4.1}.conv_pw.$2
**layer.{1,3,5,7,9,11,13,15,17,19,21,23,25}.normalization.** -> blocks.{0.0,1.0,1.1,2.0,2.1,3.0,3.1,3.2,3.3,3.4,3.5,4.0,4.1}.bn2.$2
)";

constexpr std::string_view kTransformersMobileNetV2 = R"(
**conv_stem.first_conv.{convolution,normalization}.** -> {conv_stem,bn1}.$2
**conv_stem.conv_3x3.{convolution,normalization}.** -> blocks.0.0.{conv_dw,bn1}.$2
**conv_stem.reduce_1x1.{convolution,normalization}.** -> blocks.0.0.{conv_pw,bn2}.$2
**layer.{0..15}.expand_1x1.{convolution,normalization}.** -> blocks.{1.0,1.1,2.0,2.1,2.2,3.0,3.1,3.2,3.3,4.0,4.1,4.2,5.0,5.1,5.2,6.0}.{conv_pw,bn1}.$2
**layer.{0..15}.conv_3x3.{convolution,normalization}.** -> blocks.{1.0,1.1,2.0,2.1,2.2,3.0,3.1,3.2,3.3,4.0,4.1,4.2,5.0,5.1,5.2,6.0}.{conv_dw,bn2}.$2
**layer.{0..15}.reduce_1x1.{convolution,normalization}.** -> blocks.{1.0,1.1,2.0,2.1,2.2,3.0,3.1,3.2,3.3,4.0,4.1,4.2,5.0,5.1,5.2,6.0}.{conv_pwl,bn3}.$2
**conv_1x1.{convolution,normalization}.** -> {conv_head,bn2}.$2
)";

// EfficientNet as first ported to PyTorch and as the Lite files are saved: all blocks numbered through, batch norms from 0; to timm's
// stages. A block without expansion has no _bn0 and, at timm, no conv_pwl.
constexpr std::string_view kEfficientNet = R"(
blocks blocks.*.*
_conv_stem.** -> conv_stem.$1
_bn0.** -> bn1.$1
_conv_head.** -> conv_head.$1
_bn1.** -> bn2.$1
_fc.** -> classifier.$1
_blocks.*._expand_conv.** -> blocks.#1.conv_pw.$2
_blocks.*._bn0.** -> blocks.#1.bn1.$2
_blocks.*._depthwise_conv.** -> blocks.#1.conv_dw.$2
_blocks.*._bn1.** -> blocks.#1.bn2.$2 if blocks.#1.conv_pwl.weight
_blocks.*._bn1.** -> blocks.#1.bn1.$2
_blocks.*._se_reduce.** -> blocks.#1.se.conv_reduce.$2
_blocks.*._se_expand.** -> blocks.#1.se.conv_expand.$2
_blocks.*._project_conv.** -> blocks.#1.conv_pwl.$2 if blocks.#1.conv_pwl.weight
_blocks.*._project_conv.** -> blocks.#1.conv_pw.$2
_blocks.*._bn2.** -> blocks.#1.bn3.$2 if blocks.#1.conv_pwl.weight
_blocks.*._bn2.** -> blocks.#1.bn2.$2
)";

// MobileNetV2 of torchvision's names before its blocks had parts.
constexpr std::string_view kFlatMobileNetV2 = R"(
features.1.conv.{0,1,3,4}.** -> features.1.conv.{0.0,0.1,1,2}.$1
features.*.conv.{0,1,3,4,6,7}.** -> features.$1.conv.{0.0,0.1,1.0,1.1,2,3}.$2
)";

// torchvision's DenseNet files keep the names of modules whose own names held a dot.
constexpr std::string_view kDenseNet = R"(
**denselayer*.norm.** -> $1denselayer$2.norm$3
**denselayer*.conv.** -> $1denselayer$2.conv$3
)";

}  // namespace

const std::vector<NameMap>& name_maps() {
  static const std::vector<NameMap> maps = [] {
    std::vector<NameMap> all = {{"none", ""}, {"efficientnet-pytorch", kEfficientNet}, {"densenet-dotted", kDenseNet}};
    for (const auto& [family, rules] : kLayouts) {
      all.emplace_back(std::string("torchvision-") + family, rules);
      all.emplace_back(std::string("timm-") + family, rules, NameMap::Direction::backward);
    }
    all.emplace_back("torchvision-vit-old", kOldVit);
    all.emplace_back("mobilenet-v2-flat", kFlatMobileNetV2);
    all.emplace_back("facebook-convnext", kConvNeXt);
    all.emplace_back("facebook-dino", kDino);
    all.emplace_back("transformers-vit", kTransformersVit);
    all.emplace_back("transformers-convnext", kTransformersConvNeXt);
    all.emplace_back("transformers-resnet", kTransformersResNet);
    all.emplace_back("transformers-bit", kTransformersBit);
    all.emplace_back("transformers-efficientnet", kTransformersEfficientNet);
    all.emplace_back("transformers-mobilenet-v1", kTransformersMobileNetV1);
    all.emplace_back("transformers-mobilenet-v2", kTransformersMobileNetV2);
    return all;
  }();
  return maps;
}

}  // namespace fovea::weights
