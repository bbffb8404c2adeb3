// VGG: Simonyan and Zisserman 2014, arXiv:1409.1556, table 1, columns A, B, D and E, each with and without batch norm behind every
// convolution. In the layouts of torchvision's weights and of timm's, which stores the dense layers as convolutions.
#include <algorithm>
#include <array>

#include "models/families.h"
#include "nn/layers.h"
#include "ops/conv2d.h"

namespace fovea::models::vgg {
namespace {

struct Row {
  const char* name;
  std::array<int64_t, 5> convolutions;  // before each max-pool
};

constexpr int64_t kWidths[] = {64, 128, 256, 512, 512};
constexpr int64_t kDense = 4096;  // channels of the dense layers
constexpr int64_t kGrid = 7;      // height and width of the map that they read

// Table 1 to the last max-pool. The places are numbered through, activations included.
Value convolutions(const Row& row, bool with_norm, Scope s, Value x) {
  int64_t place = 0;
  for (size_t i = 0; i < row.convolutions.size(); ++i) {
    for (int64_t c = 0; c < row.convolutions[i]; ++c) {
      x = conv2d(s[place++], x, {.out = kWidths[i], .kernel = 3, .padding = 1, .bias = true});
      if (with_norm) x = batch_norm(s[place++], x);
      x = relu(x);
      ++place;
    }
    s[place - 1].tap(x);
    x = s[place].tap(max_pool2d(s[place], x, {.kernel = 2, .stride = 2}));
    ++place;
  }
  return x;
}

Init dense_init() { return normal_init(0.01); }

// A linear layer on a whole map: a convolution by a kernel of the map's size, whose weights have the same order.
Value dense_on_map(Scope s, Value x, int64_t out) {
  const int64_t in = x.channels(), height = x.height(), width = x.width();
  const Value weight = s.parameter("weight", {out, in, height, width}, {out, in * height * width}, dense_init());
  return s.emit(Conv2d{}, {x, weight, s.parameter("bias", {1, out, 1, 1}, {out}, constant_init(0))});
}

// FC-4096 twice; the third is the head.
Features torchvision_vgg(const Row& row, bool with_norm, Scope s, Value x) {
  constexpr double kDropout = 0.5;
  const Value map = convolutions(row, with_norm, s["features"], x);
  const Scope dense = s["classifier"];
  x = adaptive_average_pool2d(s["avgpool"], map, {kGrid, kGrid});
  x = dropout(dense[2], relu(dense_on_map(dense[0], x, kDense)), kDropout);
  x = relu(linear(dense[3], x, {.out = kDense, .weight = dense_init(), .bias = constant_init(0)}));
  return {map, global_average_pool(map), x};
}

// The same as convolutions: a larger picture gives them more than one place, and the head reads the mean.
Features timm_vgg(const Row& row, bool with_norm, Scope s, Value x) {
  const Value map = convolutions(row, with_norm, s["features"], x);
  const Scope dense = s["pre_logits"];
  const Size2 grid{std::max(kGrid, map.height()), std::max(kGrid, map.width())};
  x = grid == Size2{map.height(), map.width()} ? map : adaptive_average_pool2d(dense, map, grid);
  x = relu(conv2d(dense["fc1"], x, {.out = kDense, .kernel = kGrid, .bias = true}));
  x = relu(conv2d(dense["fc2"], x, {.out = kDense, .bias = true}));
  return {map, global_average_pool(map), global_average_pool(x)};
}

constexpr Row kRows[] = {
    {"vgg11", {1, 1, 2, 2, 2}},
    {"vgg13", {2, 2, 2, 2, 2}},
    {"vgg16", {2, 2, 3, 3, 3}},
    {"vgg19", {2, 2, 4, 4, 4}},
};

Init head_weight_init(int64_t, int64_t) { return dense_init(); }
Init head_bias_init(int64_t, int64_t) { return constant_init(0); }

Variant variant(const Row& row, bool with_norm, bool timm) {
  Variant variant;
  variant.name = std::string(timm ? "timm/" : "") + row.name + (with_norm ? "_bn" : "");
  variant.family = "vgg";
  variant.layout = timm ? "timm" : "torchvision";
  variant.feature_width = kDense;
  variant.least_size = 32;  // halved five times
  variant.head = timm ? "head.fc" : "classifier.6";
  variant.head_dropout = timm ? 0 : 0.5;
  variant.body = [&row, with_norm, text = timm ? timm_vgg : torchvision_vgg](Scope s, Value image, Size2) {
    return text(row, with_norm, s, image);
  };
  variant.head_weight_init = head_weight_init;
  variant.head_bias_init = head_bias_init;
  return variant;
}

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  for (const Row& row : kRows)
    for (const bool with_norm : {false, true})
      for (const bool timm : {false, true}) variants.push_back(variant(row, with_norm, timm));
  return variants;
}

}  // namespace fovea::models::vgg
