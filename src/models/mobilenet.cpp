// MobileNet V1: Howard et al. 2017, arXiv:1704.04861, table 1, in the layout of timm's weights (which have ReLU6 for ReLU); V2: Sandler et
// al. 2018, arXiv:1801.04381, figure 4d and table 2, and V3: Howard et al. 2019, arXiv:1905.02244, figure 4 and tables 1 and 2, in that of
// torchvision's and in timm's; in timm's alone V4 (Qin et al. 2024, arXiv:2404.10518, tables 11 to 15), MobileNet-EdgeTPU V2, PP-LCNet (Cui
// et al. 2021, arXiv:2109.15099, table 2) and FBNetV3 (Dai et al. 2020, arXiv:2006.02049). "tf_": SAME padding, eps of 1e-3.
#include <cmath>
#include <span>

#include "models/families.h"
#include "models/mobile_network.h"
#include "nn/blocks.h"

namespace fovea::models::mobilenet {
namespace {

// ---- V2 and V3 in torchvision's layout ----

// torchvision's Conv2dNormActivation without the activation.
Value conv_norm(Scope s, Value x, Conv2dOptions conv, const BatchNormOptions& norm = {}) {
  conv.padding = (conv.kernel - 1) / 2;
  return batch_norm(s[1], conv2d(s[0], x, conv), norm);
}

struct V2Stage {
  int64_t expand, channels, blocks, stride;
};
constexpr V2Stage kV2[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

// Figure 4d of V2: narrow, wide, narrow again and without an activation.
Value inverted_residual(Scope s, Value x, const V2Stage& stage, int64_t stride) {
  const int64_t expanded = x.channels() * stage.expand;
  const Scope layers = s["conv"];
  int64_t layer = 0;
  Value branch = x;
  if (stage.expand != 1) branch = relu6(conv_norm(layers[layer++], branch, {.out = expanded}));
  branch = relu6(conv_norm(layers[layer++], branch, {.out = expanded, .kernel = 3, .stride = stride, .groups = expanded}));
  branch = conv2d(layers[layer++], branch, {.out = stage.channels});
  branch = batch_norm(layers[layer], branch);
  return stride == 1 && x.channels() == stage.channels ? x + branch : branch;
}

constexpr int64_t kV2Head = 1280;  // channels of the last map

Features mobilenet_v2(Scope s, Value x) {
  const Scope features = s["features"];
  int64_t place = 0;
  x = features[place].tap(relu6(conv_norm(features[place], x, {.out = 32, .kernel = 3, .stride = 2})));
  for (const V2Stage& stage : kV2) {
    for (int64_t b = 0; b < stage.blocks; ++b) {
      ++place;
      x = features[place].tap(inverted_residual(features[place], x, stage, b == 0 ? stage.stride : 1));
    }
  }
  ++place;
  return features_of(features[place].tap(relu6(conv_norm(features[place], x, {.out = kV2Head}))));
}

struct V3Block {
  int64_t kernel, expanded, channels;
  bool squeeze_excite;
  ActivationKind activation;
  int64_t stride;
};

// Table 1 of V3 (large), from the first bottleneck to the last.
constexpr ActivationKind RE = ActivationKind::relu, HS = ActivationKind::hard_swish;
constexpr V3Block kV3Large[] = {{3, 16, 16, false, RE, 1},  {3, 64, 24, false, RE, 2},  {3, 72, 24, false, RE, 1},
                                {5, 72, 40, true, RE, 2},   {5, 120, 40, true, RE, 1},  {5, 120, 40, true, RE, 1},
                                {3, 240, 80, false, HS, 2}, {3, 200, 80, false, HS, 1}, {3, 184, 80, false, HS, 1},
                                {3, 184, 80, false, HS, 1}, {3, 480, 112, true, HS, 1}, {3, 672, 112, true, HS, 1},
                                {5, 672, 160, true, HS, 2}, {5, 960, 160, true, HS, 1}, {5, 960, 160, true, HS, 1}};
// Table 2 (small).
constexpr V3Block kV3Small[] = {{3, 16, 16, true, RE, 2},  {3, 72, 24, false, RE, 2}, {3, 88, 24, false, RE, 1}, {5, 96, 40, true, HS, 2},
                                {5, 240, 40, true, HS, 1}, {5, 240, 40, true, HS, 1}, {5, 120, 48, true, HS, 1}, {5, 144, 48, true, HS, 1},
                                {5, 288, 96, true, HS, 2}, {5, 576, 96, true, HS, 1}, {5, 576, 96, true, HS, 1}};

constexpr BatchNormOptions kV3Norm{.eps = 1e-3, .momentum = 0.01};

// Figure 4 of V3: V2's with squeeze-and-excitation of what the depthwise convolution gives.
Value v3_block(Scope s, Value x, const V3Block& block) {
  const int64_t expanded = block.expanded;
  const Scope layers = s["block"];
  int64_t layer = 0;
  Value branch = x;
  if (expanded != x.channels()) branch = activate(block.activation, conv_norm(layers[layer++], branch, {.out = expanded}, kV3Norm));
  const Conv2dOptions depthwise{.out = expanded, .kernel = block.kernel, .stride = block.stride, .groups = expanded};
  branch = activate(block.activation, conv_norm(layers[layer++], branch, depthwise, kV3Norm));
  if (block.squeeze_excite) {
    const Scope gate = layers[layer++];
    const SqueezeExcite options{.squeezed = scaled_channels(expanded / 4, 1), .gate = ActivationKind::hard_sigmoid};
    branch = squeeze_excite(gate["fc1"], gate["fc2"], branch, options);
  }
  branch = conv_norm(layers[layer], branch, {.out = block.channels}, kV3Norm);
  return block.stride == 1 && x.channels() == block.channels ? branch + x : branch;
}

Init dense_init() { return normal_init(0.01); }

// The last dense layer but one reads the means, behind the pooling.
Features mobilenet_v3(std::span<const V3Block> blocks, int64_t dense, Scope s, Value x) {
  const Scope features = s["features"];
  int64_t place = 0;
  x = features[place].tap(hard_swish(conv_norm(features[place], x, {.out = 16, .kernel = 3, .stride = 2}, kV3Norm)));
  for (const V3Block& block : blocks) {
    ++place;
    x = features[place].tap(v3_block(features[place], x, block));
  }
  ++place;
  const Value map = features[place].tap(hard_swish(conv_norm(features[place], x, {.out = 6 * x.channels()}, kV3Norm)));
  const Value pooled = global_average_pool(map);
  x = linear(s["classifier"][0], pooled, {.out = dense, .weight = dense_init(), .bias = constant_init(0)});
  return {map, pooled, hard_swish(x)};
}

// ---- variants of torchvision's layout ----

Init head_weight_init(int64_t, int64_t) { return dense_init(); }
Init head_bias_init(int64_t, int64_t) { return constant_init(0); }

Variant torchvision_variant(const char* name, int64_t feature_width, const char* head) {
  Variant variant;
  variant.name = name;
  variant.family = "mobilenet";
  variant.layout = "torchvision";
  variant.feature_width = feature_width;
  variant.head = head;
  variant.head_dropout = 0.2;
  variant.head_weight_init = head_weight_init;
  variant.head_bias_init = head_bias_init;
  return variant;
}

Variant v2(const char* name) {
  Variant variant = torchvision_variant(name, kV2Head, "classifier.1");
  variant.body = [](Scope s, Value image, Size2) { return mobilenet_v2(s, image); };
  return variant;
}

Variant v3(const char* name, std::span<const V3Block> blocks, int64_t dense) {
  Variant variant = torchvision_variant(name, dense, "classifier.3");
  variant.body = [blocks, dense](Scope s, Value image, Size2) { return mobilenet_v3(blocks, dense, s, image); };
  return variant;
}

// ---- variants of timm's layout ----

constexpr const char* kTimmV1[] = {"dsa_r1_k3_s1_c64", "dsa_r2_k3_s2_c128", "dsa_r2_k3_s2_c256", "dsa_r6_k3_s2_c512", "dsa_r2_k3_s2_c1024"};
constexpr const char* kTimmV2[] = {"ds_r1_k3_s1_c16",    "ir_r2_k3_s2_e6_c24",  "ir_r3_k3_s2_e6_c32", "ir_r4_k3_s2_e6_c64",
                                   "ir_r3_k3_s1_e6_c96", "ir_r3_k3_s2_e6_c160", "ir_r1_k3_s1_e6_c320"};
constexpr const char* kTimmV3Large[] = {"ds_r1_k3_s1_e1_c16_nre",
                                        "ir_r1_k3_s2_e4_c24_nre ir_r1_k3_s1_e3_c24_nre",
                                        "ir_r3_k5_s2_e3_c40_se0.25_nre",
                                        "ir_r1_k3_s2_e6_c80 ir_r1_k3_s1_e2.5_c80 ir_r2_k3_s1_e2.3_c80",
                                        "ir_r2_k3_s1_e6_c112_se0.25",
                                        "ir_r3_k5_s2_e6_c160_se0.25",
                                        "cn_r1_k1_s1_c960"};
constexpr const char* kTimmV3Rw[] = {"ds_r1_k3_s1_e1_c16_nre_noskip",
                                     "ir_r1_k3_s2_e4_c24_nre ir_r1_k3_s1_e3_c24_nre",
                                     "ir_r3_k5_s2_e3_c40_se0.25_nre",
                                     "ir_r1_k3_s2_e6_c80 ir_r1_k3_s1_e2.5_c80 ir_r2_k3_s1_e2.3_c80",
                                     "ir_r2_k3_s1_e6_c112_se0.25",
                                     "ir_r3_k5_s2_e6_c160_se0.25",
                                     "cn_r1_k1_s1_c960"};
constexpr const char* kTimmV3Small[] = {"ds_r1_k3_s2_e1_c16_se0.25_nre",
                                        "ir_r1_k3_s2_e4.5_c24_nre ir_r1_k3_s1_e3.67_c24_nre",
                                        "ir_r1_k5_s2_e4_c40_se0.25 ir_r2_k5_s1_e6_c40_se0.25",
                                        "ir_r2_k5_s1_e3_c48_se0.25",
                                        "ir_r3_k5_s2_e6_c96_se0.25",
                                        "cn_r1_k1_s1_c576"};
// Without squeeze-and-excitation, hard swish and kernels of 5.
constexpr const char* kMinimalLarge[] = {"ds_r1_k3_s1_e1_c16",  "ir_r1_k3_s2_e4_c24 ir_r1_k3_s1_e3_c24",
                                         "ir_r3_k3_s2_e3_c40",  "ir_r1_k3_s2_e6_c80 ir_r1_k3_s1_e2.5_c80 ir_r2_k3_s1_e2.3_c80",
                                         "ir_r2_k3_s1_e6_c112", "ir_r3_k3_s2_e6_c160",
                                         "cn_r1_k1_s1_c960"};
constexpr const char* kMinimalSmall[] = {"ds_r1_k3_s2_e1_c16",
                                         "ir_r1_k3_s2_e4.5_c24 ir_r1_k3_s1_e3.67_c24",
                                         "ir_r1_k3_s2_e4_c40 ir_r2_k3_s1_e6_c40",
                                         "ir_r2_k3_s1_e3_c48",
                                         "ir_r3_k3_s2_e6_c96",
                                         "cn_r1_k1_s1_c576"};
constexpr const char* kV4Small[] = {"cn_r1_k3_s2_e1_c32 cn_r1_k1_s1_e1_c32", "cn_r1_k3_s2_e1_c96 cn_r1_k1_s1_e1_c64",
                                    "uir_r1_a5_k5_s2_e3_c96 uir_r4_a0_k3_s1_e2_c96 uir_r1_a3_k0_s1_e4_c96",
                                    "uir_r1_a3_k3_s2_e6_c128 uir_r1_a5_k5_s1_e4_c128 uir_r1_a0_k5_s1_e4_c128 uir_r1_a0_k5_s1_e3_c128 "
                                    "uir_r2_a0_k3_s1_e4_c128",
                                    "cn_r1_k1_s1_c960"};
constexpr const char* kV4Medium[] = {"er_r1_k3_s2_e4_c48", "uir_r1_a3_k5_s2_e4_c80 uir_r1_a3_k3_s1_e2_c80",
                                     "uir_r1_a3_k5_s2_e6_c160 uir_r2_a3_k3_s1_e4_c160 uir_r1_a3_k5_s1_e4_c160 uir_r1_a3_k3_s1_e4_c160 "
                                     "uir_r1_a3_k0_s1_e4_c160 uir_r1_a0_k0_s1_e2_c160 uir_r1_a3_k0_s1_e4_c160",
                                     "uir_r1_a5_k5_s2_e6_c256 uir_r1_a5_k5_s1_e4_c256 uir_r2_a3_k5_s1_e4_c256 uir_r1_a0_k0_s1_e4_c256 "
                                     "uir_r1_a3_k0_s1_e4_c256 uir_r1_a3_k5_s1_e2_c256 uir_r1_a5_k5_s1_e4_c256 uir_r2_a0_k0_s1_e4_c256 "
                                     "uir_r1_a5_k0_s1_e2_c256",
                                     "cn_r1_k1_s1_c960"};
constexpr const char* kV4Large[] = {"er_r1_k3_s2_e4_c48", "uir_r1_a3_k5_s2_e4_c96 uir_r1_a3_k3_s1_e4_c96",
                                    "uir_r1_a3_k5_s2_e4_c192 uir_r3_a3_k3_s1_e4_c192 uir_r1_a3_k5_s1_e4_c192 uir_r5_a5_k3_s1_e4_c192 "
                                    "uir_r1_a3_k0_s1_e4_c192",
                                    "uir_r4_a5_k5_s2_e4_c512 uir_r1_a5_k0_s1_e4_c512 uir_r1_a5_k3_s1_e4_c512 uir_r2_a5_k0_s1_e4_c512 "
                                    "uir_r1_a5_k3_s1_e4_c512 uir_r1_a5_k5_s1_e4_c512 uir_r3_a5_k0_s1_e4_c512",
                                    "cn_r1_k1_s1_c960"};
constexpr const char* kV4HybridMedium[] = {
    "er_r1_k3_s2_e4_c48", "uir_r1_a3_k5_s2_e4_c80 uir_r1_a3_k3_s1_e2_c80",
    "uir_r1_a3_k5_s2_e6_c160 uir_r1_a0_k0_s1_e2_c160 uir_r1_a3_k3_s1_e4_c160 uir_r1_a3_k5_s1_e4_c160 mqa_r1_k3_h4_s1_v2_d64_c160 "
    "uir_r1_a3_k3_s1_e4_c160 mqa_r1_k3_h4_s1_v2_d64_c160 uir_r1_a3_k0_s1_e4_c160 mqa_r1_k3_h4_s1_v2_d64_c160 uir_r1_a3_k3_s1_e4_c160 "
    "mqa_r1_k3_h4_s1_v2_d64_c160 uir_r1_a3_k0_s1_e4_c160",
    "uir_r1_a5_k5_s2_e6_c256 uir_r1_a5_k5_s1_e4_c256 uir_r2_a3_k5_s1_e4_c256 uir_r1_a0_k0_s1_e2_c256 uir_r1_a3_k5_s1_e2_c256 "
    "uir_r1_a0_k0_s1_e2_c256 uir_r1_a0_k0_s1_e4_c256 mqa_r1_k3_h4_s1_d64_c256 uir_r1_a3_k0_s1_e4_c256 mqa_r1_k3_h4_s1_d64_c256 "
    "uir_r1_a5_k5_s1_e4_c256 mqa_r1_k3_h4_s1_d64_c256 uir_r1_a5_k0_s1_e4_c256 mqa_r1_k3_h4_s1_d64_c256 uir_r1_a5_k0_s1_e4_c256",
    "cn_r1_k1_s1_c960"};
constexpr const char* kV4HybridLarge[] = {
    "er_r1_k3_s2_e4_c48", "uir_r1_a3_k5_s2_e4_c96 uir_r1_a3_k3_s1_e4_c96",
    "uir_r1_a3_k5_s2_e4_c192 uir_r3_a3_k3_s1_e4_c192 uir_r1_a3_k5_s1_e4_c192 uir_r2_a5_k3_s1_e4_c192 mqa_r1_k3_h8_s1_v2_d48_c192 "
    "uir_r1_a5_k3_s1_e4_c192 mqa_r1_k3_h8_s1_v2_d48_c192 uir_r1_a5_k3_s1_e4_c192 mqa_r1_k3_h8_s1_v2_d48_c192 uir_r1_a5_k3_s1_e4_c192 "
    "mqa_r1_k3_h8_s1_v2_d48_c192 uir_r1_a3_k0_s1_e4_c192",
    "uir_r4_a5_k5_s2_e4_c512 uir_r1_a5_k0_s1_e4_c512 uir_r1_a5_k3_s1_e4_c512 uir_r2_a5_k0_s1_e4_c512 uir_r1_a5_k3_s1_e4_c512 "
    "uir_r1_a5_k5_s1_e4_c512 mqa_r1_k3_h8_s1_d64_c512 uir_r1_a5_k0_s1_e4_c512 mqa_r1_k3_h8_s1_d64_c512 uir_r1_a5_k0_s1_e4_c512 "
    "mqa_r1_k3_h8_s1_d64_c512 uir_r1_a5_k0_s1_e4_c512 mqa_r1_k3_h8_s1_d64_c512 uir_r1_a5_k0_s1_e4_c512",
    "cn_r1_k1_s1_c960"};
constexpr const char* kEdgeTpuM[] = {"cn_r1_k1_s1_c32",
                                     "er_r1_k3_s2_e8_c64 er_r1_k3_s1_e4_gs64_c64",
                                     "er_r1_k3_s2_e8_c80 er_r1_k3_s1_e4_gs64_c80 er_r1_k3_s1_e4_c80 er_r1_k3_s1_e4_gs64_c80",
                                     "er_r1_k3_s2_e8_c160 ir_r3_k3_s1_e4_c160",
                                     "ir_r1_k3_s1_e8_c192 ir_r3_k3_s1_e4_c192",
                                     "ir_r1_k3_s2_e8_c240 ir_r3_k3_s1_e4_c240",
                                     "ir_r1_k3_s1_e8_c320"};
constexpr const char* kLcNet[] = {"dsa_r1_k3_s1_c32",  "dsa_r2_k3_s2_c64",
                                  "dsa_r2_k3_s2_c128", "dsa_r1_k3_s2_c256 dsa_r1_k5_s1_c256",
                                  "dsa_r4_k5_s1_c256", "dsa_r2_k5_s2_c512_se0.25"};
constexpr const char* kFbnetV3B[] = {"ds_r2_k3_s1_e1_c16",
                                     "ir_r1_k5_s2_e4_c24 ir_r3_k5_s1_e2_c24",
                                     "ir_r1_k5_s2_e5_c40_se0.25 ir_r4_k5_s1_e3_c40_se0.25",
                                     "ir_r1_k5_s2_e5_c72 ir_r4_k3_s1_e3_c72",
                                     "ir_r1_k3_s1_e5_c120_se0.25 ir_r5_k5_s1_e3_c120_se0.25",
                                     "ir_r1_k3_s2_e6_c184_se0.25 ir_r5_k5_s1_e4_c184_se0.25 ir_r1_k5_s1_e6_c224_se0.25",
                                     "cn_r1_k1_s1_c1344"};
constexpr const char* kFbnetV3D[] = {"ds_r2_k3_s1_e1_c16",
                                     "ir_r1_k3_s2_e5_c24 ir_r5_k3_s1_e2_c24",
                                     "ir_r1_k5_s2_e4_c40_se0.25 ir_r4_k3_s1_e3_c40_se0.25",
                                     "ir_r1_k3_s2_e5_c72 ir_r4_k3_s1_e3_c72",
                                     "ir_r1_k3_s1_e5_c128_se0.25 ir_r6_k5_s1_e3_c128_se0.25",
                                     "ir_r1_k3_s2_e6_c208_se0.25 ir_r5_k5_s1_e5_c208_se0.25 ir_r1_k5_s1_e6_c240_se0.25",
                                     "cn_r1_k1_s1_c1440"};
constexpr const char* kFbnetV3G[] = {"ds_r3_k3_s1_e1_c24",
                                     "ir_r1_k5_s2_e4_c40 ir_r4_k5_s1_e2_c40",
                                     "ir_r1_k5_s2_e4_c56_se0.25 ir_r4_k5_s1_e3_c56_se0.25",
                                     "ir_r1_k5_s2_e5_c104 ir_r4_k3_s1_e3_c104",
                                     "ir_r1_k3_s1_e5_c160_se0.25 ir_r8_k5_s1_e3_c160_se0.25",
                                     "ir_r1_k3_s2_e6_c264_se0.25 ir_r6_k5_s1_e5_c264_se0.25 ir_r2_k5_s1_e6_c288_se0.25",
                                     "cn_r1_k1_s1_c1728"};

MobileNetwork timm_v1(double width, int64_t features = 0) {
  return {.stages = kTimmV1, .width = width, .activation = ActivationKind::relu6, .features = features};
}

// Deeper ones keep the stem, the head and the ends.
MobileNetwork timm_v2(double width, double depth = 1) {
  const bool deeper = depth > 1;
  return {.stages = kTimmV2,
          .width = width,
          .depth = depth,
          .activation = ActivationKind::relu6,
          .fixed_stem = deeper,
          .fixed_ends = deeper,
          .features = deeper ? 1280 : std::max<int64_t>(1280, scaled_channels(1280, width))};
}

MobileNetwork timm_v3(Stages stages, int64_t features, double width = 1, double depth = 1) {
  return {.stages = stages,
          .width = width,
          .depth = depth,
          .activation = ActivationKind::hard_swish,
          .stem = 16,
          .fixed_stem = width < 0.75,
          .features = features,
          .pooled_features = true,
          .squeeze_expanded = true,
          .squeeze_multiple = true,
          .squeeze_relu = true,
          .squeeze_gate = ActivationKind::hard_sigmoid};
}

MobileNetwork minimal(Stages stages, int64_t features) {
  MobileNetwork network = timm_v3(stages, features);
  network.activation = ActivationKind::relu;
  return network;
}

MobileNetwork timm_v3_rw() {
  MobileNetwork network = timm_v3(kTimmV3Rw, 1280);
  network.features_bias = network.squeeze_multiple = network.squeeze_relu = false;
  network.norm_eps = 1e-3;
  return network;
}

MobileNetwork v4(Stages stages, int64_t stem, MobileNetwork::AntiAlias anti_alias = MobileNetwork::AntiAlias::none) {
  return {.stages = stages, .stem = stem, .pooled_features = true, .features_norm = true, .anti_alias = anti_alias};
}

MobileNetwork v4_hybrid(Stages stages, int64_t stem, ActivationKind activation) {
  MobileNetwork network = v4(stages, stem);
  network.activation = activation;
  network.layer_scale = 1e-5;
  return network;
}

MobileNetwork v4_narrow(double width) {
  MobileNetwork network = v4(kV4Small, 32);
  network.width = width;
  network.fixed_stem = true;
  return network;
}

MobileNetwork edge_tpu_m() { return {.stages = kEdgeTpuM, .stem = 64, .stem_kernel = 5, .features = 1344}; }

MobileNetwork lc_net(double width) {
  MobileNetwork network = timm_v3(kLcNet, 1280, width);
  network.fixed_stem = network.squeeze_multiple = false;
  return network;
}

MobileNetwork fbnet_v3(Stages stages, int64_t stem) {
  MobileNetwork network = timm_v3(stages, 1984);
  network.stem = stem;
  network.least_share = 0.95;
  network.features_bias = network.squeeze_expanded = network.squeeze_relu = false;
  return network;
}

MobileNetwork tensorflow(MobileNetwork network) {
  network.norm_eps = 1e-3;
  network.same_padding = true;
  return network;
}

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants{v2("mobilenet_v2"), v3("mobilenet_v3_small", kV3Small, 1024), v3("mobilenet_v3_large", kV3Large, 1280)};
  const auto add = [&](const char* name, const MobileNetwork& network, int64_t size = 224) {
    variants.push_back(mobile_variant("mobilenet", name, network, size));
  };
  add("mobilenetv1_100", timm_v1(1));
  add("mobilenetv1_100h", timm_v1(1, 1024));
  add("mobilenetv1_125", timm_v1(1.25));
  // Google's, as the transformers library has them.
  add("tf_mobilenetv1_025", tensorflow(timm_v1(0.25)));
  add("tf_mobilenetv1_050", tensorflow(timm_v1(0.5)));
  add("tf_mobilenetv1_075", tensorflow(timm_v1(0.75)), 192);
  add("tf_mobilenetv1_100", tensorflow(timm_v1(1)));
  add("tf_mobilenetv2_035", tensorflow(timm_v2(0.35)), 96);
  add("tf_mobilenetv2_050", tensorflow(timm_v2(0.5)));
  add("tf_mobilenetv2_075", tensorflow(timm_v2(0.75)), 160);
  add("tf_mobilenetv2_100", tensorflow(timm_v2(1)));
  add("tf_mobilenetv2_130", tensorflow(timm_v2(1.3)));
  add("tf_mobilenetv2_140", tensorflow(timm_v2(1.4)));
  add("mobilenetv2_050", timm_v2(0.5));
  add("mobilenetv2_100", timm_v2(1));
  add("mobilenetv2_110d", timm_v2(1.1, 1.2));
  add("mobilenetv2_120d", timm_v2(1.2, 1.4));
  add("mobilenetv2_140", timm_v2(1.4));
  add("mobilenetv3_small_050", timm_v3(kTimmV3Small, 1024, 0.5));
  add("mobilenetv3_small_075", timm_v3(kTimmV3Small, 1024, 0.75));
  add("mobilenetv3_small_100", timm_v3(kTimmV3Small, 1024));
  add("mobilenetv3_large_100", timm_v3(kTimmV3Large, 1280));
  add("mobilenetv3_large_150d", timm_v3(kTimmV3Large, 1280, 1.5, 1.2), 256);
  add("mobilenetv3_rw", timm_v3_rw());
  add("tf_mobilenetv3_small_075", tensorflow(timm_v3(kTimmV3Small, 1024, 0.75)));
  add("tf_mobilenetv3_small_100", tensorflow(timm_v3(kTimmV3Small, 1024)));
  add("tf_mobilenetv3_small_minimal_100", tensorflow(minimal(kMinimalSmall, 1024)));
  add("tf_mobilenetv3_large_075", tensorflow(timm_v3(kTimmV3Large, 1280, 0.75)));
  add("tf_mobilenetv3_large_100", tensorflow(timm_v3(kTimmV3Large, 1280)));
  add("tf_mobilenetv3_large_minimal_100", tensorflow(minimal(kMinimalLarge, 1280)));
  add("mobilenetv4_conv_small_050", v4_narrow(0.5));
  add("mobilenetv4_conv_small", v4(kV4Small, 32));
  add("mobilenetv4_conv_medium", v4(kV4Medium, 32), 256);
  add("mobilenetv4_conv_large", v4(kV4Large, 24), 384);
  add("mobilenetv4_hybrid_medium", v4_hybrid(kV4HybridMedium, 32, ActivationKind::relu), 256);
  add("mobilenetv4_hybrid_large", v4_hybrid(kV4HybridLarge, 24, ActivationKind::gelu), 384);
  add("mobilenetv4_conv_blur_medium", v4(kV4Medium, 32, MobileNetwork::AntiAlias::blur));
  add("mobilenetv4_conv_aa_large", v4(kV4Large, 24, MobileNetwork::AntiAlias::average), 448);
  add("mobilenet_edgetpu_v2_m", edge_tpu_m());
  add("lcnet_050", lc_net(0.5));
  add("lcnet_075", lc_net(0.75));
  add("lcnet_100", lc_net(1));
  add("fbnetv3_b", fbnet_v3(kFbnetV3B, 16));
  add("fbnetv3_d", fbnet_v3(kFbnetV3D, 24));
  add("fbnetv3_g", fbnet_v3(kFbnetV3G, 32), 240);
  return variants;
}

}  // namespace fovea::models::mobilenet
