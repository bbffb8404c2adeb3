// EfficientNet: Tan and Le 2019, arXiv:1905.11946, table 1 (B0) and equation 3 (compound scaling); EfficientNetV2: Tan and Le 2021,
// arXiv:2104.00298, figure 2 and table 4. B0 to B7 and V2 in the layout of torchvision's weights; in that of timm's these again and what
// came of them: the networks of the TensorFlow weights ("tf_": SAME padding, eps of 1e-3), Lite (without squeeze-excite, ReLU6 for SiLU,
// stem and head of one size: github.com/tensorflow/tpu, models/official/efficientnet/lite), EdgeTPU (es, em, el), X and H (Li et al. 2021,
// arXiv:2102.05610), V2 as timm's author drew it from the paper ("rw"), TinyNet (Han et al. 2020, arXiv:2010.14819).
#include <cmath>
#include <span>

#include "models/families.h"
#include "models/mobile_network.h"
#include "models/pruned_channels.h"
#include "nn/blocks.h"

namespace fovea::models::efficientnet {
namespace {

enum class BlockKind { mbconv, fused_mbconv };

struct Stage {
  int64_t expand;  // channels of the depthwise convolution to the block's input
  int64_t kernel, stride, channels, blocks;
  BlockKind kind = BlockKind::mbconv;
};

// Table 1 of EfficientNet, stages 2 to 8.
constexpr Stage kV1[] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                         {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};

// Table 4 of EfficientNetV2, and its M and L.
constexpr BlockKind fused = BlockKind::fused_mbconv;
constexpr Stage kV2S[] = {{1, 3, 1, 24, 2, fused}, {4, 3, 2, 48, 4, fused}, {4, 3, 2, 64, 4, fused},
                          {4, 3, 2, 128, 6},       {6, 3, 1, 160, 9},       {6, 3, 2, 256, 15}};
constexpr Stage kV2M[] = {{1, 3, 1, 24, 3, fused}, {4, 3, 2, 48, 5, fused}, {4, 3, 2, 80, 5, fused}, {4, 3, 2, 160, 7},
                          {6, 3, 1, 176, 14},      {6, 3, 2, 304, 18},      {6, 3, 1, 512, 5}};
constexpr Stage kV2L[] = {{1, 3, 1, 32, 4, fused}, {4, 3, 2, 64, 7, fused}, {4, 3, 2, 96, 7, fused}, {4, 3, 2, 192, 10},
                          {6, 3, 1, 224, 19},      {6, 3, 2, 384, 25},      {6, 3, 1, 640, 7}};

struct Network {
  std::vector<Stage> stages;
  int64_t stem = 32, head = 1280;  // channels
  BatchNormOptions norm;
  double stochastic_depth = 0;  // dropped share of the last block, were there one more; it grows linearly from 0
};

struct Block {
  const Network& network;
  Stage stage;  // stride and kind are the block's own
  double drop;
};

bool has_shortcut(Value x, const Block& block) { return block.stage.stride == 1 && x.channels() == block.stage.channels; }

// Its Conv2dNormActivation without the activation.
Value conv_norm(Scope s, Value x, Conv2dOptions conv, const Block& block) {
  conv.padding = (conv.kernel - 1) / 2;
  return batch_norm(s[1], conv2d(s[0], x, conv), block.network.norm);
}

// Figure 2 of EfficientNetV2, left.
Value mbconv(Scope s, Value x, const Block& block) {
  const Stage& stage = block.stage;
  const int64_t in = x.channels(), expanded = in * stage.expand;
  int64_t layer = 0;
  if (stage.expand != 1) x = silu(conv_norm(s[layer++], x, {.out = expanded}, block));
  x = silu(conv_norm(s[layer++], x, {.out = expanded, .kernel = stage.kernel, .stride = stage.stride, .groups = expanded}, block));
  const Scope gate = s[layer++];
  x = squeeze_excite(gate["fc1"], gate["fc2"], x, {.squeezed = in / 4, .activation = ActivationKind::silu});
  return conv_norm(s[layer], x, {.out = stage.channels}, block);
}

// Figure 2, right.
Value fused_mbconv(Scope s, Value x, const Block& block) {
  const Stage& stage = block.stage;
  const int64_t expanded = stage.expand == 1 ? stage.channels : x.channels() * stage.expand;
  x = silu(conv_norm(s[0], x, {.out = expanded, .kernel = stage.kernel, .stride = stage.stride}, block));
  return stage.expand == 1 ? x : conv_norm(s[1], x, {.out = stage.channels}, block);
}

Value torchvision_block(Scope s, Value x, const Block& block) {
  const Value branch = block.stage.kind == BlockKind::mbconv ? mbconv(s["block"], x, block) : fused_mbconv(s["block"], x, block);
  return has_shortcut(x, block) ? stochastic_depth(s["stochastic_depth"], branch, block.drop) + x : branch;
}

// Every stage in its own scope, s[first] and on.
Value stages(Scope s, int64_t first, Value x, const Network& network) {
  int64_t blocks = 0, done = 0;
  for (const Stage& stage : network.stages) blocks += stage.blocks;
  for (size_t i = 0; i < network.stages.size(); ++i) {
    const Scope place = s[first + static_cast<int64_t>(i)];
    Stage stage = network.stages[i];
    for (int64_t b = 0; b < stage.blocks; ++b) {
      const double drop = network.stochastic_depth * static_cast<double>(done++) / static_cast<double>(blocks);
      x = torchvision_block(place[b], x, {network, stage, drop});
      stage.stride = 1;
    }
    place.tap(x);
  }
  return x;
}

Value torchvision_efficientnet(const Network& network, Scope s, Value x) {
  const Scope features = s["features"];
  const int64_t last = static_cast<int64_t>(network.stages.size()) + 1;
  const Block plain{network, {}, 0};
  x = features[0].tap(silu(conv_norm(features[0], x, {.out = network.stem, .kernel = 3, .stride = 2}, plain)));
  x = stages(features, 1, x, network);
  return features[last].tap(silu(conv_norm(features[last], x, {.out = network.head}, plain)));
}

// ---- variants of torchvision's layout ----

// Equation 3 of EfficientNet: the width and depth multipliers, and the pictures' height and width.
struct Scaling {
  double width, depth;
  int64_t size;
  double dropout;
};
constexpr Scaling kB[] = {{1.0, 1.0, 224, 0.2}, {1.0, 1.1, 240, 0.2}, {1.1, 1.2, 288, 0.3}, {1.2, 1.4, 300, 0.3},
                          {1.4, 1.8, 380, 0.4}, {1.6, 2.2, 456, 0.4}, {1.8, 2.6, 528, 0.5}, {2.0, 3.1, 600, 0.5}};
struct V2 {
  const char* size;
  std::span<const Stage> stages;
  int64_t tested;
  double dropout;
};
constexpr V2 kV2[] = {{"s", kV2S, 384, 0.2}, {"m", kV2M, 480, 0.3}, {"l", kV2L, 480, 0.4}};

std::vector<Stage> scaled_stages(const Scaling& scaling) {
  std::vector<Stage> stages(std::begin(kV1), std::end(kV1));
  for (Stage& stage : stages) {
    stage.channels = scaled_channels(stage.channels, scaling.width);
    stage.blocks = static_cast<int64_t>(std::ceil(static_cast<double>(stage.blocks) * scaling.depth));
  }
  return stages;
}

Network b_network(size_t index) {
  const Scaling& scaling = kB[index];
  Network network;
  network.stages = scaled_stages(scaling);
  network.stem = scaled_channels(32, scaling.width);
  network.head = 4 * network.stages.back().channels;
  network.stochastic_depth = 0.2;
  if (index >= 5) network.norm = {.eps = 1e-3, .momentum = 0.01};  // as its weights were trained
  return network;
}

Network v2_network(std::span<const Stage> stages) {
  Network network;
  network.stages.assign(stages.begin(), stages.end());
  network.stem = stages.front().channels;
  network.norm.eps = 1e-3;
  network.stochastic_depth = 0.2;
  return network;
}

// A linear layer starts by its fan out.
Init head_weight_init(int64_t, int64_t outputs) { return uniform_init(1 / std::sqrt(static_cast<double>(outputs))); }
Init head_bias_init(int64_t, int64_t) { return constant_init(0); }

Variant variant(std::string name, Network network, int64_t size, double dropout) {
  Variant variant;
  variant.name = std::move(name);
  variant.family = "efficientnet";
  variant.layout = "torchvision";
  variant.feature_width = network.head;
  variant.input_size = size;
  variant.head = "classifier.1";
  variant.head_dropout = dropout;
  variant.body = [network = std::move(network)](Scope s, Value x, Size2) { return features_of(torchvision_efficientnet(network, s, x)); };
  variant.head_weight_init = head_weight_init;
  variant.head_bias_init = head_bias_init;
  return variant;
}

// ---- variants of timm's layout ----

constexpr const char* kTable1[] = {"ds_r1_k3_s1_e1_c16_se0.25", "ir_r2_k3_s2_e6_c24_se0.25",  "ir_r2_k5_s2_e6_c40_se0.25",
                                   "ir_r3_k3_s2_e6_c80_se0.25", "ir_r3_k5_s1_e6_c112_se0.25", "ir_r4_k5_s2_e6_c192_se0.25",
                                   "ir_r1_k3_s1_e6_c320_se0.25"};
// Yang et al. 2019, arXiv:1904.04971: the last blocks' weights depend on the picture.
constexpr const char* kConditional[] = {
    "ds_r1_k3_s1_e1_c16_se0.25",        "ir_r2_k3_s2_e6_c24_se0.25",        "ir_r2_k5_s2_e6_c40_se0.25",       "ir_r3_k3_s2_e6_c80_se0.25",
    "ircc_r3_k5_s1_e6_c112_se0.25_cc4", "ircc_r4_k5_s2_e6_c192_se0.25_cc4", "ircc_r1_k3_s1_e6_c320_se0.25_cc4"};
constexpr const char* kLite[] = {"ds_r1_k3_s1_e1_c16",  "ir_r2_k3_s2_e6_c24",  "ir_r2_k5_s2_e6_c40", "ir_r3_k3_s2_e6_c80",
                                 "ir_r3_k5_s1_e6_c112", "ir_r4_k5_s2_e6_c192", "ir_r1_k3_s1_e6_c320"};
// The first block is written for as many channels as the stem has.
constexpr const char* kEdge[] = {"er_r1_k3_s1_e4_c24_fc24_noskip",
                                 "er_r2_k3_s2_e8_c32",
                                 "er_r4_k3_s2_e8_c48",
                                 "ir_r5_k5_s2_e8_c96",
                                 "ir_r4_k5_s1_e8_c144",
                                 "ir_r2_k5_s2_e8_c192"};
constexpr const char* kX[] = {"ds_r1_k3_s1_e1_c16_se0.25_d1", "er_r2_k3_s2_e6_c24_se0.25_nre", "er_r2_k5_s2_e6_c40_se0.25_nre",
                              "ir_r3_k3_s2_e6_c80_se0.25",    "ir_r3_k5_s1_e6_c112_se0.25",    "ir_r4_k5_s2_e6_c192_se0.25",
                              "ir_r1_k3_s1_e6_c320_se0.25"};
constexpr const char* kH[] = {"ds_r1_k3_s1_e1_c16_se0.25_d1", "er_r2_k3_s2_e4_c24_se0.25_nre", "er_r2_k5_s2_e4_c40_se0.25_nre",
                              "ir_r3_k3_s2_e4_c80_se0.25",    "ir_r3_k5_s1_e6_c112_se0.25",    "ir_r4_k5_s2_e6_c192_se0.25",
                              "ir_r1_k3_s1_e6_c320_se0.25"};
// Table 4 of EfficientNetV2, and its M, L and XL; and the smaller ones, which are scaled.
constexpr const char* kTimmV2B[] = {"cn_r1_k3_s1_e1_c16_skip",   "er_r2_k3_s2_e4_c32",         "er_r2_k3_s2_e4_c48",
                                    "ir_r3_k3_s2_e4_c96_se0.25", "ir_r5_k3_s1_e6_c112_se0.25", "ir_r8_k3_s2_e6_c192_se0.25"};
constexpr const char* kTimmV2S[] = {"cn_r2_k3_s1_e1_c24_skip",    "er_r4_k3_s2_e4_c48",         "er_r4_k3_s2_e4_c64",
                                    "ir_r6_k3_s2_e4_c128_se0.25", "ir_r9_k3_s1_e6_c160_se0.25", "ir_r15_k3_s2_e6_c256_se0.25"};
constexpr const char* kTimmV2M[] = {"cn_r3_k3_s1_e1_c24_skip",    "er_r5_k3_s2_e4_c48",          "er_r5_k3_s2_e4_c80",
                                    "ir_r7_k3_s2_e4_c160_se0.25", "ir_r14_k3_s1_e6_c176_se0.25", "ir_r18_k3_s2_e6_c304_se0.25",
                                    "ir_r5_k3_s1_e6_c512_se0.25"};
constexpr const char* kTimmV2L[] = {"cn_r4_k3_s1_e1_c32_skip",     "er_r7_k3_s2_e4_c64",          "er_r7_k3_s2_e4_c96",
                                    "ir_r10_k3_s2_e4_c192_se0.25", "ir_r19_k3_s1_e6_c224_se0.25", "ir_r25_k3_s2_e6_c384_se0.25",
                                    "ir_r7_k3_s1_e6_c640_se0.25"};
constexpr const char* kTimmV2Xl[] = {"cn_r4_k3_s1_e1_c32_skip",     "er_r8_k3_s2_e4_c64",          "er_r8_k3_s2_e4_c96",
                                     "ir_r16_k3_s2_e4_c192_se0.25", "ir_r24_k3_s1_e6_c256_se0.25", "ir_r32_k3_s2_e6_c512_se0.25",
                                     "ir_r8_k3_s1_e6_c640_se0.25"};
constexpr const char* kV2Rw[] = {"er_r2_k3_s1_e1_c24",         "er_r4_k3_s2_e4_c48",         "er_r4_k3_s2_e4_c64",
                                 "ir_r6_k3_s2_e4_c128_se0.25", "ir_r9_k3_s1_e6_c160_se0.25", "ir_r15_k3_s2_e6_c272_se0.25"};
constexpr const char* kTest[] = {"cn_r1_k3_s1_e1_c16_skip", "er_r1_k3_s2_e4_c24", "er_r1_k3_s2_e4_c32", "ir_r1_k3_s2_e4_c48_se0.25",
                                 "ir_r1_k3_s2_e4_c64_se0.25"};

constexpr ActivationKind silu_kind = ActivationKind::silu;

MobileNetwork scaled(Stages stages, double width, double depth) {
  return {.stages = stages, .width = width, .depth = depth, .activation = silu_kind, .features = scaled_channels(1280, width)};
}

MobileNetwork lite(double width, double depth) {
  return {.stages = kLite, .width = width, .depth = depth, .activation = ActivationKind::relu6, .fixed_stem = true, .fixed_ends = true};
}

MobileNetwork edge(double width, double depth) {
  MobileNetwork network = scaled(kEdge, width, depth);
  network.activation = ActivationKind::relu;
  return network;
}

MobileNetwork v2_base(double width, double depth) {
  MobileNetwork network = scaled(kTimmV2B, width, depth);
  network.least_share = 0;
  network.features = scaled_channels(1280, width, 0);
  return network;
}

MobileNetwork v2(Stages stages, int64_t stem) { return {.stages = stages, .activation = silu_kind, .stem = stem}; }

MobileNetwork v2_rw(Stages stages, double width, double depth, double late_depth, int64_t features) {
  return {.stages = stages,
          .width = width,
          .depth = depth,
          .activation = silu_kind,
          .stem = 24,
          .late_depth = late_depth,
          .features = scaled_channels(static_cast<double>(features), width)};
}

MobileNetwork tinynet(double width, double depth) {
  return {.stages = kTable1, .width = width, .depth = depth, .activation = silu_kind, .fixed_stem = true, .rounded_depth = true};
}

MobileNetwork test_network(MobileNetwork::Norm norm) {
  return {.stages = kTest, .activation = silu_kind, .stem = 24, .least_share = 0, .features = 256, .norm = norm};
}

MobileNetwork tensorflow(MobileNetwork network) {
  network.norm_eps = 1e-3;
  network.same_padding = true;
  return network;
}

MobileNetwork conditional(double depth, int64_t experts) {
  MobileNetwork network = tensorflow(scaled(kConditional, 1, depth));
  network.experts = experts;
  return network;
}

MobileNetwork pruned_network(double width, double depth, std::span<const int16_t> channels) {
  MobileNetwork network = tensorflow(scaled(kTable1, width, depth));
  network.pruned = channels;
  return network;
}

// The sizes are those of timm's weights, by default.
struct TimmScaling {
  double width, depth;
  int64_t size, tensorflow_size;  // 0: there is none
};
constexpr TimmScaling kTimmB[] = {{1.0, 1.0, 224, 224}, {1.0, 1.1, 240, 240}, {1.1, 1.2, 256, 260},
                                  {1.2, 1.4, 288, 300}, {1.4, 1.8, 320, 380}, {1.6, 2.2, 448, 456},
                                  {1.8, 2.6, 528, 528}, {2.0, 3.1, 600, 600}, {2.2, 3.6, 0, 672}};
constexpr TimmScaling kLites[] = {
    {1.0, 1.0, 224, 224}, {1.0, 1.1, 240, 240}, {1.1, 1.2, 260, 260}, {1.2, 1.4, 300, 300}, {1.4, 1.8, 380, 380}};
constexpr TimmScaling kV2Bs[] = {{1.0, 1.0, 0, 192}, {1.0, 1.1, 0, 192}, {1.1, 1.2, 0, 208}, {1.2, 1.4, 0, 240}};

void add_timm(std::vector<Variant>& variants) {
  const auto add = [&](const std::string& name, const MobileNetwork& network, int64_t size) {
    variants.push_back(mobile_variant("efficientnet", name, network, size));
  };
  const auto add_scaled = [&](std::span<const TimmScaling> table, auto make, const std::string& prefix, const std::string& name) {
    for (size_t i = 0; i < table.size(); ++i) {
      const auto [width, depth, size, tensorflow_size] = table[i];
      const MobileNetwork network = make(width, depth);
      if (size > 0) add(prefix + name + std::to_string(i), network, size);
      if (tensorflow_size > 0) add("tf_" + name + std::to_string(i), tensorflow(network), tensorflow_size);
    }
  };
  add_scaled(
      kTimmB, [](double width, double depth) { return scaled(kTable1, width, depth); }, "timm/", "efficientnet_b");
  add_scaled(kLites, lite, "", "efficientnet_lite");
  add_scaled(kV2Bs, v2_base, "", "efficientnetv2_b");
  add("tf_efficientnet_l2", tensorflow(scaled(kTable1, 4.3, 5.3)), 475);
  add("tf_efficientnetv2_s", tensorflow(v2(kTimmV2S, 24)), 300);
  add("tf_efficientnetv2_m", tensorflow(v2(kTimmV2M, 24)), 384);
  add("tf_efficientnetv2_l", tensorflow(v2(kTimmV2L, 32)), 384);
  add("tf_efficientnetv2_xl", tensorflow(v2(kTimmV2Xl, 32)), 384);
  for (const auto& [name, depth, experts, size] : {std::tuple("tf_efficientnet_cc_b0_4e", 1.0, 1, 224),
                                                   {"tf_efficientnet_cc_b0_8e", 1.0, 2, 224},
                                                   {"tf_efficientnet_cc_b1_8e", 1.1, 2, 240}})
    add(name, conditional(depth, experts), size);
  MobileNetwork with_context = v2_rw(kTimmV2S, 0.8, 0.9, 0, 1280);
  with_context.global_context = true;
  add("gc_efficientnetv2_rw_t", with_context, 224);
  add("efficientnetv2_rw_t", v2_rw(kTimmV2S, 0.8, 0.9, 0, 1280), 224);
  add("efficientnetv2_rw_s", v2_rw(kV2Rw, 1, 1, 0, 1792), 288);
  add("efficientnetv2_rw_m", v2_rw(kV2Rw, 1.2, 1.2, 1.6, 1792), 320);
  for (const std::string prefix : {"", "tf_"}) {
    const auto as = [&](const MobileNetwork& network) { return prefix.empty() ? network : tensorflow(network); };
    add(prefix + "efficientnet_es", as(edge(1, 1)), 224);
    add(prefix + "efficientnet_em", as(edge(1, 1.1)), 240);
    add(prefix + "efficientnet_el", as(edge(1.2, 1.4)), 300);
  }
  add("efficientnet_es_pruned", edge(1, 1), 224);  // weights that are zeros, in a network that is whole
  add("efficientnet_el_pruned", edge(1.2, 1.4), 300);
  add("efficientnet_b1_pruned", pruned_network(1, 1.1, pruned::kEfficientnetB1), 240);
  add("efficientnet_b2_pruned", pruned_network(1.1, 1.2, pruned::kEfficientnetB2), 260);
  add("efficientnet_b3_pruned", pruned_network(1.2, 1.4, pruned::kEfficientnetB3), 300);
  add("efficientnet_x_b5", scaled(kX, 1.6, 2.2), 448);
  add("efficientnet_h_b5", scaled(kH, 1.92, 2.2), 448);
  add("tinynet_a", tinynet(1, 1.2), 192);
  add("tinynet_b", tinynet(0.75, 1.1), 188);
  add("tinynet_c", tinynet(0.54, 0.85), 184);
  add("tinynet_d", tinynet(0.54, 0.695), 152);
  add("tinynet_e", tinynet(0.51, 0.6), 106);
  add("test_efficientnet", test_network(MobileNetwork::Norm::batch), 160);
  add("test_efficientnet_gn", test_network(MobileNetwork::Norm::group), 160);
  add("test_efficientnet_ln", test_network(MobileNetwork::Norm::layer), 160);
}

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  for (size_t i = 0; i < std::size(kB); ++i)
    variants.push_back(variant("efficientnet_b" + std::to_string(i), b_network(i), kB[i].size, kB[i].dropout));
  for (const V2& row : kV2)
    variants.push_back(variant(std::string("efficientnet_v2_") + row.size, v2_network(row.stages), row.tested, row.dropout));
  add_timm(variants);
  return variants;
}

}  // namespace fovea::models::efficientnet
