// MobileNet V1: Howard et al. 2017, arXiv:1704.04861, table 1, in the layout of timm's weights (which have ReLU6 for ReLU); V2: Sandler et
// al. 2018, arXiv:1801.04381, figure 4d and table 2, and V3: Howard et al. 2019, arXiv:1905.02244, figure 4 and tables 1 and 2, in that of
// torchvision's.
#include <cmath>
#include <span>

#include "models/families.h"
#include "nn/blocks.h"

namespace fovea::models::mobilenet {
namespace {

// ---- V1 ----

struct V1Stage {
  int64_t channels, blocks, stride;
};
constexpr V1Stage kV1[] = {{64, 1, 1}, {128, 2, 2}, {256, 2, 2}, {512, 6, 2}, {1024, 2, 2}};

// Figure 3, right: a depthwise convolution filters, a pointwise one combines.
Value depthwise_separable(Scope s, Value x, int64_t out, int64_t stride) {
  const int64_t in = x.channels();
  const Conv2dOptions depthwise{.out = in, .kernel = 3, .stride = stride, .padding = 1, .groups = in, .fan_out = FanOut::one_group};
  x = relu6(batch_norm(s["bn1"], conv2d(s["conv_dw"], x, depthwise)));
  return relu6(batch_norm(s["bn2"], conv2d(s["conv_pw"], x, {.out = out})));
}

Features mobilenet_v1(double width, Scope s, Value x) {
  x = conv2d(s["conv_stem"], x, {.out = scaled_channels(32, width), .kernel = 3, .stride = 2, .padding = 1});
  x = s["bn1"].tap(relu6(batch_norm(s["bn1"], x)));
  for (size_t i = 0; i < std::size(kV1); ++i) {
    const V1Stage& stage = kV1[i];
    const Scope place = s["blocks"][static_cast<int64_t>(i)];
    for (int64_t b = 0; b < stage.blocks; ++b)
      x = depthwise_separable(place[b], x, scaled_channels(stage.channels, width), b == 0 ? stage.stride : 1);
    place.tap(x);
  }
  return features_of(s["bn2"].tap(x));  // timm's name for the last map of all such networks, here with no layer of its own
}

// ---- V2 and V3 ----

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

// ---- variants ----

// timm's, by the fan out.
Init v1_head_weight_init(int64_t, int64_t outputs) { return uniform_init(1 / std::sqrt(static_cast<double>(outputs))); }
Init head_weight_init(int64_t, int64_t) { return dense_init(); }
Init head_bias_init(int64_t, int64_t) { return constant_init(0); }

Variant v1(const char* name, double width) {
  Variant variant;
  variant.name = name;
  variant.family = "mobilenet";
  variant.layout = "timm";
  variant.feature_width = scaled_channels(1024, width);
  variant.head = "classifier";
  variant.body = [width](Scope s, Value image, Size2) { return mobilenet_v1(width, s, image); };
  variant.head_weight_init = v1_head_weight_init;
  variant.head_bias_init = head_bias_init;
  return variant;
}

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

}  // namespace

std::vector<Variant> variants() {
  return {v1("mobilenetv1_100", 1.0), v1("mobilenetv1_125", 1.25), v2("mobilenet_v2"), v3("mobilenet_v3_small", kV3Small, 1024),
          v3("mobilenet_v3_large", kV3Large, 1280)};
}

}  // namespace fovea::models::mobilenet
