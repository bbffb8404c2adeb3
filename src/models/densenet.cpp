// DenseNet: Huang et al. 2017, arXiv:1608.06993, figure 1 and table 1, with bottlenecks and compression ("BC", section 3). torchvision's
// and timm's weights have the same names; timm counts a batch norm's ReLU to it, which shows in the taps.
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

// Table 1.
Features densenet(const Row& row, bool timm, Scope s, Value x) {
  const Scope features = s["features"];
  x = conv2d(features["conv0"], x, by_fan_in(x, {.out = 2 * row.growth, .kernel = 7, .stride = 2, .padding = 3}));
  x = features[timm ? "norm0" : "relu0"].tap(relu(batch_norm(features["norm0"], x)));
  x = features["pool0"].tap(max_pool2d(features["pool0"], x, {.kernel = 3, .stride = 2, .padding = 1}));
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

int64_t feature_width(const Row& row) {
  int64_t channels = 2 * row.growth;
  for (size_t i = 0; i < row.layers.size(); ++i) channels = (i > 0 ? channels / 2 : channels) + row.layers[i] * row.growth;
  return channels;
}

// torch.nn.Linear's own weight; the libraries set the bias.
Init head_weight_init(int64_t inputs, int64_t) { return uniform_init(1 / std::sqrt(static_cast<double>(inputs))); }
Init head_bias_init(int64_t, int64_t) { return constant_init(0); }

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  for (const Row& row : kRows) {
    for (const bool timm : {false, true}) {
      Variant variant;
      variant.name = std::string(timm ? "timm/" : "") + row.name;
      variant.family = "densenet";
      variant.layout = timm ? "timm" : "torchvision";
      variant.feature_width = feature_width(row);
      variant.least_size = 29;  // 8 before the transitions
      variant.head = "classifier";
      variant.body = [&row, timm](Scope s, Value image, Size2) { return densenet(row, timm, s, image); };
      variant.head_weight_init = head_weight_init;
      variant.head_bias_init = head_bias_init;
      variants.push_back(std::move(variant));
    }
  }
  return variants;
}

}  // namespace fovea::models::densenet
