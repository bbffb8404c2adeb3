// ConvNeXt: Liu et al. 2022, arXiv:2201.03545, figure 4 (the block) and section 3; ConvNeXt V2: Woo et al. 2023, arXiv:2301.00808, figure 5
// (global response normalization in place of the layer scale). The first in the layouts of torchvision's weights and of timm's, the second
// in timm's. timm's smaller ones store the blocks' linear layers as convolutions; "ols" have overlapping windows in the stem, "hnf" the
// last norm before the pooling, "mlp" (those of CLIP) a hidden layer in the head.
#include <array>

#include "models/families.h"
#include "nn/blocks.h"

namespace fovea::models::convnext {
namespace {

enum class Version { v1, v2 };
// One window of 4x4 a pixel, or two convolutions of 3x3 with strides of 2, of which the first may have half the channels.
enum class Stem { patch, overlap, overlap_tiered };
enum class Head { plain, norm_first, hidden };

struct Row {
  const char* name;
  const char* layout;
  std::array<int64_t, 4> blocks;  // a stage
  int64_t width;                  // of the first stage; it doubles from one to the next
  double stochastic_depth = 0;    // dropped share of the last block; it grows linearly from 0
  Version version = Version::v1;
  bool as_convolutions = false;  // how the blocks' linear layers are stored
  Stem stem = Stem::patch;
  Head head = Head::plain;
  double norm_eps = 1e-6;
  int64_t input_size = 224;
  // Of stages that do not double, and blocks that differ from one to the next.
  std::array<int64_t, 4> widths = {}, kernels = {7, 7, 7, 7};
  ActivationKind activation = ActivationKind::gelu;

  constexpr int64_t width_of(size_t stage) const { return widths[0] > 0 ? widths[stage] : width << stage; }
};

Init weight_init() { return truncated_normal_init(0.02); }

Value dense(Scope s, Value x, int64_t out, bool as_convolution = false) {
  return linear(s, x, {.out = out, .weight = weight_init(), .bias = constant_init(0), .as_convolution = as_convolution});
}

Value depthwise(Scope s, Value x, int64_t kernel = 7) {
  const int64_t width = x.channels(), padding = (kernel - 1) / 2;
  return conv2d(s, x, {.out = width, .kernel = kernel, .padding = padding, .groups = width, .bias = true, .weight = weight_init()});
}

// Windows side by side, each to one pixel.
Value patches(Scope s, Value x, int64_t out, int64_t size) {
  return conv2d(s, x, {.out = out, .kernel = size, .stride = size, .bias = true, .weight = weight_init()});
}

Value layer_scale(Scope s, std::string_view leaf, int64_t width, std::vector<int64_t> stored) {
  return s.parameter(leaf, {1, width, 1, 1}, std::move(stored), constant_init(1e-6));
}

struct Block {
  const Row& row;
  double drop;
  int64_t kernel;
};

// ---- torchvision's layout ----

// Figure 4, right.
Value torchvision_block(Scope s, Value x, const Block& block) {
  const int64_t width = x.channels();
  const Value scale = layer_scale(s, "layer_scale", width, {width, 1, 1});
  const Scope layers = s["block"];
  Value branch = layer_norm(layers[2], depthwise(layers[0], x));
  branch = gelu(dense(layers[3], branch, 4 * width));
  branch = dense(layers[5], branch, width) * scale;
  return stochastic_depth(s["stochastic_depth"], branch, block.drop) + x;
}

// ---- timm's layout ----

// The same, or figure 5 of ConvNeXt V2, right.
Value timm_block(Scope s, Value x, const Block& block) {
  const Row& row = block.row;
  const int64_t width = x.channels();
  const Value scale = row.version == Version::v1 ? layer_scale(s, "gamma", width, {width}) : Value();
  const Scope mlp = s["mlp"];
  Value branch = layer_norm(s["norm"], depthwise(s["conv_dw"], x, block.kernel), row.norm_eps);
  branch = activate(row.activation, dense(mlp["fc1"], branch, 4 * width, row.as_convolutions));
  if (row.version == Version::v2) branch = global_response_norm(mlp["grn"], branch);
  branch = dense(mlp["fc2"], branch, width, row.as_convolutions);
  if (row.version == Version::v1) branch = branch * scale;
  return stochastic_depth(s["drop_path"], branch, block.drop) + x;
}

// ---- the networks ----

using BlockText = Value (*)(Scope s, Value x, const Block& block);

// The blocks of stage `index`, each in its own scope.
Value stage(Scope s, Value x, const Row& row, size_t index, BlockText text) {
  int64_t blocks = 0, before = 0;
  for (size_t i = 0; i < row.blocks.size(); ++i) {
    if (i < index) before += row.blocks[i];
    blocks += row.blocks[i];
  }
  for (int64_t b = 0; b < row.blocks[index]; ++b) {
    const double drop = row.stochastic_depth * static_cast<double>(before + b) / static_cast<double>(blocks - 1);
    x = text(s[b], x, {row, drop, row.kernels[index]});
  }
  return x;
}

Features torchvision_convnext(const Row& row, Scope s, Value x) {
  const Scope features = s["features"];
  int64_t place = 0;
  const Scope stem = features[place++];
  x = stem.tap(layer_norm(stem[1], patches(stem[0], x, row.width, 4)));
  for (size_t i = 0; i < row.blocks.size(); ++i) {
    if (i > 0) {
      const Scope downsample = features[place++];
      x = downsample.tap(patches(downsample[1], layer_norm(downsample[0], x), row.width << i, 2));
    }
    const Scope blocks = features[place++];
    x = blocks.tap(stage(blocks, x, row, i, torchvision_block));
  }
  const Value pooled = global_average_pool(x);
  return {x, pooled, layer_norm(s["classifier"][0], pooled)};
}

Value timm_stem(Scope s, Value x, const Row& row) {
  const int64_t width = row.width_of(0);
  if (row.stem == Stem::patch) return layer_norm(s[1], patches(s[0], x, width, 4), row.norm_eps);
  const auto halve = [&](Scope place, Value y, int64_t out) {
    return conv2d(place, y, {.out = out, .kernel = 3, .stride = 2, .padding = 1, .bias = true, .weight = weight_init()});
  };
  x = halve(s[0], x, row.stem == Stem::overlap_tiered ? scaled_channels(static_cast<double>(width / 2), 1) : width);
  return layer_norm(s[2], halve(s[1], x, width), row.norm_eps);
}

Features timm_head(Scope s, Value x, const Row& row) {
  if (row.head == Head::norm_first) {
    const Value map = s["norm_pre"].tap(layer_norm(s["norm_pre"], x, row.norm_eps));
    return features_of(map);
  }
  const Value pooled = global_average_pool(x), normal = layer_norm(s["head"]["norm"], pooled, row.norm_eps);
  if (row.head == Head::plain) return {x, pooled, normal};
  return {x, pooled, gelu(dense(s["head"]["pre_logits"]["fc"], normal, x.channels()))};
}

Features timm_convnext(const Row& row, Scope s, Value x) {
  x = s["stem"].tap(timm_stem(s["stem"], x, row));
  for (size_t i = 0; i < row.blocks.size(); ++i) {
    const Scope place = s["stages"][static_cast<int64_t>(i)], downsample = place["downsample"];
    if (i > 0) x = patches(downsample[1], layer_norm(downsample[0], x, row.norm_eps), row.width_of(i), 2);
    x = place.tap(stage(place["blocks"], x, row, i, timm_block));
  }
  return timm_head(s, x, row);
}

// ---- variants ----

constexpr Row kRows[] = {
    {"convnext_tiny", "torchvision", {3, 3, 9, 3}, 96, 0.1},
    {"convnext_small", "torchvision", {3, 3, 27, 3}, 96, 0.4},
    {"convnext_base", "torchvision", {3, 3, 27, 3}, 128, 0.5},
    {"convnext_large", "torchvision", {3, 3, 27, 3}, 192, 0.5},
    {"timm/convnext_tiny", "timm", {3, 3, 9, 3}, 96},
    {"timm/convnext_small", "timm", {3, 3, 27, 3}, 96},
    {"timm/convnext_base", "timm", {3, 3, 27, 3}, 128},
    {"timm/convnext_large", "timm", {3, 3, 27, 3}, 192},
    {"convnext_atto", "timm", {2, 2, 6, 2}, 40, 0, Version::v1, true},
    {"convnext_atto_ols", "timm", {2, 2, 6, 2}, 40, 0, Version::v1, true, Stem::overlap_tiered},
    {"convnext_femto", "timm", {2, 2, 6, 2}, 48, 0, Version::v1, true},
    {"convnext_femto_ols", "timm", {2, 2, 6, 2}, 48, 0, Version::v1, true, Stem::overlap_tiered},
    {"convnext_pico", "timm", {2, 2, 6, 2}, 64, 0, Version::v1, true},
    {"convnext_pico_ols", "timm", {2, 2, 6, 2}, 64, 0, Version::v1, true, Stem::overlap_tiered},
    {"convnext_nano", "timm", {2, 2, 8, 2}, 80, 0, Version::v1, true},
    {"convnext_nano_ols", "timm", {2, 2, 8, 2}, 80, 0, Version::v1, true, Stem::overlap},
    {"convnext_tiny_hnf", "timm", {3, 3, 9, 3}, 96, 0, Version::v1, true, Stem::patch, Head::norm_first},
    {"convnext_large_mlp", "timm", {3, 3, 27, 3}, 192, 0, Version::v1, false, Stem::patch, Head::hidden, 1e-6, 320},
    {"convnext_xlarge", "timm", {3, 3, 27, 3}, 256},
    {"convnext_xxlarge", "timm", {3, 4, 30, 3}, 384, 0, Version::v1, false, Stem::patch, Head::plain, 1e-5, 256},
    {.name = "test_convnext",
     .layout = "timm",
     .blocks = {1, 2, 4, 2},
     .width = 24,
     .norm_eps = 1e-5,
     .input_size = 160,
     .widths = {24, 32, 48, 64},
     .activation = ActivationKind::gelu_tanh},
    {.name = "test_convnext2",
     .layout = "timm",
     .blocks = {1, 1, 1, 1},
     .width = 32,
     .norm_eps = 1e-5,
     .input_size = 160,
     .widths = {32, 64, 96, 128},
     .activation = ActivationKind::gelu_tanh},
    {.name = "test_convnext3",
     .layout = "timm",
     .blocks = {1, 1, 1, 1},
     .width = 32,
     .norm_eps = 1e-5,
     .input_size = 160,
     .widths = {32, 64, 96, 128},
     .kernels = {7, 5, 5, 3},
     .activation = ActivationKind::silu},
    {"convnextv2_atto", "timm", {2, 2, 6, 2}, 40, 0, Version::v2, true},
    {"convnextv2_femto", "timm", {2, 2, 6, 2}, 48, 0, Version::v2, true},
    {"convnextv2_pico", "timm", {2, 2, 6, 2}, 64, 0, Version::v2, true},
    {"convnextv2_nano", "timm", {2, 2, 8, 2}, 80, 0, Version::v2, true},
    {"convnextv2_tiny", "timm", {3, 3, 9, 3}, 96, 0, Version::v2},
    {"convnextv2_small", "timm", {3, 3, 27, 3}, 96, 0, Version::v2},
    {"convnextv2_base", "timm", {3, 3, 27, 3}, 128, 0, Version::v2},
    {"convnextv2_large", "timm", {3, 3, 27, 3}, 192, 0, Version::v2},
    {"convnextv2_huge", "timm", {3, 3, 27, 3}, 352, 0, Version::v2, false, Stem::patch, Head::plain, 1e-6, 384},
};

Init head_weight_init(int64_t, int64_t) { return weight_init(); }
Init head_bias_init(int64_t, int64_t) { return constant_init(0); }

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  for (const Row& row : kRows) {
    Variant variant;
    variant.name = row.name;
    variant.family = "convnext";
    variant.layout = row.layout;
    variant.feature_width = row.width_of(3);
    variant.input_size = row.input_size;
    variant.least_size = 32;  // the stem's patch of 4, halved three times
    const bool timm = variant.layout == "timm";
    variant.head = timm ? "head.fc" : "classifier.2";
    variant.body = [&row, text = timm ? timm_convnext : torchvision_convnext](Scope s, Value image, Size2) { return text(row, s, image); };
    variant.head_weight_init = head_weight_init;
    variant.head_bias_init = head_bias_init;
    variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace fovea::models::convnext
