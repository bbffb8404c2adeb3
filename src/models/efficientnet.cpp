// EfficientNet: Tan and Le 2019, arXiv:1905.11946, table 1 (B0) and equation 3 (compound scaling); EfficientNetV2: Tan and Le 2021,
// arXiv:2104.00298, figure 2 and table 4; EfficientNet-Lite: the same without squeeze-excite, ReLU6 for SiLU, stem and head of one size
// (github.com/tensorflow/tpu, models/official/efficientnet/lite). B0 to B7 and V2 follow the layout of torchvision's weights, Lite, B0
// to B7 again and the networks of the TensorFlow weights ("tf_": SAME padding, eps of 1e-3) that of timm's.
#include <cmath>
#include <span>

#include "models/families.h"
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
  ActivationKind activation = ActivationKind::silu;
  double stochastic_depth = 0;  // dropped share of the last block, were there one more; it grows linearly from 0
  bool squeeze_excite = true;
  bool same_padding = false;
};

struct Block {
  const Network& network;
  Stage stage;  // stride and kind are the block's own
  double drop;
};

bool has_shortcut(Value x, const Block& block) { return block.stage.stride == 1 && x.channels() == block.stage.channels; }

// ---- torchvision's layout ----

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

// ---- timm's layout ----

Conv2dOptions timm_conv(const Block& block, Conv2dOptions conv) {
  conv.padding = (conv.kernel - 1) / 2;
  conv.same = block.network.same_padding;
  conv.fan_out = FanOut::one_group;
  return conv;
}

Value timm_gate(Scope s, Value x, int64_t squeezed, const Block& block) {
  if (!block.network.squeeze_excite) return x;
  return squeeze_excite(s["conv_reduce"], s["conv_expand"], x, {.squeezed = squeezed, .activation = block.network.activation});
}

// An inverted residual that does not expand.
Value depthwise_separable(Scope s, Value x, const Block& block) {
  const Network& network = block.network;
  const int64_t in = x.channels();
  const Conv2dOptions depthwise{.out = in, .kernel = block.stage.kernel, .stride = block.stage.stride, .groups = in};
  x = conv2d(s["conv_dw"], x, timm_conv(block, depthwise));
  x = activate(network.activation, batch_norm(s["bn1"], x, network.norm));
  x = timm_gate(s["se"], x, in / 4, block);
  return batch_norm(s["bn2"], conv2d(s["conv_pw"], x, timm_conv(block, {.out = block.stage.channels})), network.norm);
}

// Sandler et al. 2018, arXiv:1801.04381, figure 4d.
Value inverted_residual(Scope s, Value x, const Block& block) {
  const Network& network = block.network;
  const int64_t in = x.channels(), expanded = in * block.stage.expand;
  const Conv2dOptions depthwise{.out = expanded, .kernel = block.stage.kernel, .stride = block.stage.stride, .groups = expanded};
  x = conv2d(s["conv_pw"], x, timm_conv(block, {.out = expanded}));
  x = activate(network.activation, batch_norm(s["bn1"], x, network.norm));
  x = conv2d(s["conv_dw"], x, timm_conv(block, depthwise));
  x = activate(network.activation, batch_norm(s["bn2"], x, network.norm));
  x = timm_gate(s["se"], x, in / 4, block);
  return batch_norm(s["bn3"], conv2d(s["conv_pwl"], x, timm_conv(block, {.out = block.stage.channels})), network.norm);
}

// Tan and Le 2021, arXiv:2104.00298, figure 2: one convolution in place of the expanding and the depthwise one.
Value edge_residual(Scope s, Value x, const Block& block) {
  const Network& network = block.network;
  const Stage& stage = block.stage;
  if (stage.expand == 1) {
    const Value y = conv2d(s["conv"], x, timm_conv(block, {.out = stage.channels, .kernel = stage.kernel, .stride = stage.stride}));
    return activate(network.activation, batch_norm(s["bn1"], y, network.norm));
  }
  const Conv2dOptions expanding{.out = x.channels() * stage.expand, .kernel = stage.kernel, .stride = stage.stride};
  x = activate(network.activation, batch_norm(s["bn1"], conv2d(s["conv_exp"], x, timm_conv(block, expanding)), network.norm));
  return batch_norm(s["bn2"], conv2d(s["conv_pwl"], x, timm_conv(block, {.out = stage.channels})), network.norm);
}

Value timm_branch(Scope s, Value x, const Block& block) {
  if (block.stage.kind == BlockKind::fused_mbconv) return edge_residual(s, x, block);
  return block.stage.expand == 1 ? depthwise_separable(s, x, block) : inverted_residual(s, x, block);
}

Value timm_block(Scope s, Value x, const Block& block) {
  const Value branch = timm_branch(s, x, block);
  return has_shortcut(x, block) ? stochastic_depth(s["drop_path"], branch, block.drop) + x : branch;
}

// ---- the networks ----

using BlockText = Value (*)(Scope s, Value x, const Block& block);

// Every stage in its own scope, s[first] and on.
Value stages(Scope s, int64_t first, Value x, const Network& network, BlockText text) {
  int64_t blocks = 0, done = 0;
  for (const Stage& stage : network.stages) blocks += stage.blocks;
  for (size_t i = 0; i < network.stages.size(); ++i) {
    const Scope place = s[first + static_cast<int64_t>(i)];
    Stage stage = network.stages[i];
    for (int64_t b = 0; b < stage.blocks; ++b) {
      const double drop = network.stochastic_depth * static_cast<double>(done++) / static_cast<double>(blocks);
      x = text(place[b], x, {network, stage, drop});
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
  x = stages(features, 1, x, network, torchvision_block);
  return features[last].tap(silu(conv_norm(features[last], x, {.out = network.head}, plain)));
}

Value timm_efficientnet(const Network& network, Scope s, Value x) {
  const Block plain{network, {}, 0};
  x = conv2d(s["conv_stem"], x, timm_conv(plain, {.out = network.stem, .kernel = 3, .stride = 2}));
  x = s["bn1"].tap(activate(network.activation, batch_norm(s["bn1"], x, network.norm)));
  x = stages(s["blocks"], 0, x, network, timm_block);
  x = conv2d(s["conv_head"], x, timm_conv(plain, {.out = network.head}));
  return s["bn2"].tap(activate(network.activation, batch_norm(s["bn2"], x, network.norm)));
}

// ---- variants ----

// Equation 3 of EfficientNet: the width and depth multipliers, and the pictures' height and width.
struct Scaling {
  double width, depth;
  int64_t size;
  double dropout;
};
constexpr Scaling kB[] = {{1.0, 1.0, 224, 0.2}, {1.0, 1.1, 240, 0.2}, {1.1, 1.2, 288, 0.3}, {1.2, 1.4, 300, 0.3},
                          {1.4, 1.8, 380, 0.4}, {1.6, 2.2, 456, 0.4}, {1.8, 2.6, 528, 0.5}, {2.0, 3.1, 600, 0.5}};
// The sizes are those of timm's weights; it has no dropout, in the head neither.
constexpr Scaling kLite[] = {{1.0, 1.0, 224, 0}, {1.0, 1.1, 240, 0}, {1.1, 1.2, 260, 0}, {1.2, 1.4, 300, 0}, {1.4, 1.8, 380, 0}};
// torchvision gives the size at which it tested, timm the one at which Google trained.
struct V2 {
  const char* size;
  std::span<const Stage> stages;
  int64_t tested, trained;
  double dropout;
};
constexpr V2 kV2[] = {{"s", kV2S, 384, 300, 0.2}, {"m", kV2M, 480, 384, 0.3}, {"l", kV2L, 480, 384, 0.4}};
constexpr int64_t kTimmBSizes[] = {224, 240, 256, 288, 320, 448, 528, 600};
constexpr int64_t kTfB2Size = 260;  // the TensorFlow weights' own; torchvision measured its B2 at 288

std::vector<Stage> scaled_stages(const Scaling& scaling) {
  std::vector<Stage> stages(std::begin(kV1), std::end(kV1));
  for (Stage& stage : stages) {
    stage.channels = scaled_channels(stage.channels, scaling.width);
    stage.blocks = static_cast<int64_t>(std::ceil(static_cast<double>(stage.blocks) * scaling.depth));
  }
  return stages;
}

Network b_network(const Scaling& scaling) {
  Network network;
  network.stages = scaled_stages(scaling);
  network.stem = scaled_channels(32, scaling.width);
  return network;
}

// Stem and head keep their size, the first and the last stage their depth.
Network lite_network(const Scaling& scaling) {
  Network network;
  network.stages = scaled_stages(scaling);
  network.stages.front().blocks = network.stages.back().blocks = 1;
  network.activation = ActivationKind::relu6;
  network.squeeze_excite = false;
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

Network tensorflow(Network network) {
  network.norm.eps = 1e-3;
  network.same_padding = true;
  return network;
}

// Both libraries start a linear layer by its fan out.
Init head_weight_init(int64_t, int64_t outputs) { return uniform_init(1 / std::sqrt(static_cast<double>(outputs))); }
Init head_bias_init(int64_t, int64_t) { return constant_init(0); }

using NetworkText = Value (*)(const Network& network, Scope s, Value x);

Variant variant(std::string name, const char* layout, Network network, int64_t size, double dropout) {
  const bool timm = std::string_view(layout) == "timm";
  const NetworkText text = timm ? timm_efficientnet : torchvision_efficientnet;
  Variant variant;
  variant.name = std::move(name);
  variant.family = "efficientnet";
  variant.layout = layout;
  variant.feature_width = network.head;
  variant.input_size = size;
  variant.head = timm ? "classifier" : "classifier.1";
  variant.head_dropout = dropout;
  variant.body = [network = std::move(network), text](Scope s, Value image, Size2) { return features_of(text(network, s, image)); };
  variant.head_weight_init = head_weight_init;
  variant.head_bias_init = head_bias_init;
  return variant;
}

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  for (size_t i = 0; i < std::size(kB); ++i) {
    const Scaling& scaling = kB[i];
    Network network = b_network(scaling);
    network.head = scaled_channels(1280, scaling.width);
    variants.push_back(variant("timm/efficientnet_b" + std::to_string(i), "timm", network, kTimmBSizes[i], 0));
    variants.push_back(variant("tf_efficientnet_b" + std::to_string(i), "timm", tensorflow(network), i == 2 ? kTfB2Size : scaling.size, 0));
    network.head = 4 * network.stages.back().channels;
    network.stochastic_depth = 0.2;
    if (i >= 5) network.norm = {.eps = 1e-3, .momentum = 0.01};  // as its weights were trained
    variants.push_back(variant("efficientnet_b" + std::to_string(i), "torchvision", network, scaling.size, scaling.dropout));
  }
  for (size_t i = 0; i < std::size(kLite); ++i) {
    const Network network = lite_network(kLite[i]);
    variants.push_back(variant("efficientnet_lite" + std::to_string(i), "timm", network, kLite[i].size, kLite[i].dropout));
    variants.push_back(variant("tf_efficientnet_lite" + std::to_string(i), "timm", tensorflow(network), kLite[i].size, kLite[i].dropout));
  }
  for (const V2& row : kV2) {
    Network network = v2_network(row.stages);
    variants.push_back(variant(std::string("efficientnet_v2_") + row.size, "torchvision", network, row.tested, row.dropout));
    network.stochastic_depth = 0;
    variants.push_back(variant(std::string("tf_efficientnetv2_") + row.size, "timm", tensorflow(network), row.trained, 0));
  }
  return variants;
}

}  // namespace fovea::models::efficientnet
