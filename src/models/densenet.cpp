// DenseNet: Huang et al. 2017, arXiv:1608.06993, figure 1 and table 1, with bottlenecks and compression ("BC", section 3). torchvision's
// and timm's weights have the same names; timm counts a batch norm's ReLU to it, which shows in the taps. Its densenetblur121d has three
// 3x3 in the stem and blurs behind the max-pool (Zhang 2019, arXiv:1904.11486).
#include <array>
#include <cmath>

#include "models/families.h"
#include "nn/layers.h"
#include "ops/concat.h"

namespace fovea::models::densenet {
namespace {

struct Row {
  const char* name;
  std::array<int64_t, 4> layers;  // a block
  int64_t growth = 32;            // channels that a layer appends
  bool deep_blurred_stem = false;
};

// Its first weights count their inputs, unlike those of the other families.
Conv2dOptions by_fan_in(Value x, Conv2dOptions conv) {
  conv.weight = kaiming_normal(x.channels() * conv.kernel * conv.kernel);
  return conv;
}

Value norm_relu_conv(Scope norm, Scope conv, Value x, const Conv2dOptions& options) {
  x = relu(batch_norm(norm, x));
  return conv2d(conv, x, by_fan_in(x, options));
}

// Figure 1: every layer reads what all before it have made.
Value dense_block(Scope s, Value x, int64_t layers, int64_t growth) {
  for (int64_t l = 1; l <= layers; ++l) {
    const Scope layer = s["denselayer" + std::to_string(l)];
    Value more = norm_relu_conv(layer["norm1"], layer["conv1"], x, {.out = 4 * growth});
    more = norm_relu_conv(layer["norm2"], layer["conv2"], more, {.out = growth, .kernel = 3, .padding = 1});
    x = s["concat" + std::to_string(l)].emit(Concat{}, {x, more});
  }
  return s.tap(x);
}

// Compression by half.
Value transition(Scope s, Value x) {
  x = norm_relu_conv(s["norm"], s["conv"], x, {.out = x.channels() / 2});
  return s.tap(average_pool2d(s["pool"], x));
}

Value stem_convolution(Scope s, Value x, const Row& row) {
  const int64_t growth = row.growth;
  if (!row.deep_blurred_stem) return conv2d(s["conv0"], x, by_fan_in(x, {.out = 2 * growth, .kernel = 7, .stride = 2, .padding = 3}));
  x = conv2d(s["conv0"], x, by_fan_in(x, {.out = growth, .kernel = 3, .stride = 2, .padding = 1}));
  x = norm_relu_conv(s["norm0"], s["conv1"], x, {.out = growth, .kernel = 3, .padding = 1});
  return norm_relu_conv(s["norm1"], s["conv2"], x, {.out = 2 * growth, .kernel = 3, .padding = 1});
}

Value stem_pool(Scope s, Value x, const Row& row) {
  if (!row.deep_blurred_stem) return max_pool2d(s, x, {.kernel = 3, .stride = 2, .padding = 1});
  return blur_pool2d(s[1], max_pool2d(s[0], x, {.kernel = 3, .stride = 1, .padding = 1}));
}

// Table 1.
Features densenet(const Row& row, bool timm, Scope s, Value x) {
  const Scope features = s["features"];
  x = stem_convolution(features, x, row);
  const char* norm0 = row.deep_blurred_stem ? "norm2" : "norm0";
  x = features[timm ? norm0 : "relu0"].tap(relu(batch_norm(features[norm0], x)));
  x = features["pool0"].tap(stem_pool(features["pool0"], x, row));
  for (size_t i = 0; i < row.layers.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    if (i > 0) x = transition(features["transition" + std::to_string(i)], x);
    x = dense_block(features["denseblock" + number], x, row.layers[i], row.growth);
  }
  const Value norm = batch_norm(features["norm5"], x), map = relu(norm);
  features["norm5"].tap(timm ? map : norm);
  return features_of(map);
}

constexpr Row kRows[] = {
    {"densenet121", {6, 12, 24, 16}},
    {"densenet161", {6, 12, 36, 24}, 48},
    {"densenet169", {6, 12, 32, 32}},
    {"densenet201", {6, 12, 48, 32}},
};
constexpr Row kBlurred{"densenetblur121d", {6, 12, 24, 16}, 32, true};  // timm's alone

int64_t feature_width(const Row& row) {
  int64_t channels = 2 * row.growth;
  for (size_t i = 0; i < row.layers.size(); ++i) channels = (i > 0 ? channels / 2 : channels) + row.layers[i] * row.growth;
  return channels;
}

// torch.nn.Linear's own weight; the libraries set the bias.
Init head_weight_init(int64_t inputs, int64_t) { return uniform_init(1 / std::sqrt(static_cast<double>(inputs))); }
Init head_bias_init(int64_t, int64_t) { return constant_init(0); }

Variant variant(std::string name, const Row& row, bool timm) {
  Variant variant;
  variant.name = std::move(name);
  variant.family = "densenet";
  variant.layout = timm ? "timm" : "torchvision";
  variant.feature_width = feature_width(row);
  variant.least_size = 29;  // 8 before the transitions
  variant.head = "classifier";
  variant.body = [&row, timm](Scope s, Value image, Size2) { return densenet(row, timm, s, image); };
  variant.head_weight_init = head_weight_init;
  variant.head_bias_init = head_bias_init;
  return variant;
}

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  for (const Row& row : kRows) {
    variants.push_back(variant(row.name, row, false));
    variants.push_back(variant(std::string("timm/") + row.name, row, true));
  }
  variants.push_back(variant(kBlurred.name, kBlurred, true));
  return variants;
}

}  // namespace fovea::models::densenet
