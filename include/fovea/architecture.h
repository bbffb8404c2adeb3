// Networks of one's own, written as the registered ones are: layers in scopes, whose paths name the parameters. Once registered, a network
// does by its name all that the others do: load, train, features, summary, bench, export, model files.
//
//   fovea::Map block(fovea::Layers s, fovea::Map x, int64_t out) {
//     fovea::Map y = relu(s["bn1"].batch_norm(s["conv1"].conv2d(x, {.out = out, .kernel = 3, .padding = 1})));
//     y = s["bn2"].batch_norm(s["conv2"].conv2d(y, {.out = out, .kernel = 3, .padding = 1}));
//     return relu(y + x);
//   }
//   fovea::register_architecture({.name = "small", .input_size = 32, .body = [](fovea::Layers s, fovea::Map x) {
//     x = relu(s["stem"].conv2d(x, {.out = 16, .kernel = 3, .padding = 1}));
//     for (int i = 0; i < 3; ++i) x = s["blocks"][i].tap(block(s["blocks"][i], x, 16));
//     return x;
//   }});
//   fovea::Model model = fovea::Model::load("small", {.weights = "none", .seed = 7});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <fovea/api.h>

namespace fovea {

class Graph;

// A value of a network while it is written: maps [N, channels, height, width], tokens [N, channels, T, 1] (`height` is T) or vectors
// [N, channels, 1, 1]. Valid until the network's `body` returns.
class FOVEA_API Map {
 public:
  int64_t batch() const;
  int64_t channels() const;
  int64_t height() const;
  int64_t width() const;

 private:
  friend struct ArchitectureAccess;
  Graph* graph_ = nullptr;
  uint32_t id_ = 0;
};

struct ConvolutionOptions {
  int64_t out = 0;  // channels
  int64_t kernel = 1, stride = 1;
  int64_t padding = 0;  // zeros on every side
  int64_t groups = 1;   // as many as channels: depthwise
  bool bias = false;
};

struct PoolOptions {
  int64_t kernel = 2, stride = 2;
  int64_t padding = 0;  // of max_pool2d
};

// A place in a network: s["layer1"][0]["conv1"] has the path "layer1.0.conv1", and what a layer there learns is "layer1.0.conv1.weight". A
// place has one layer at most. Shapes that do not fit are an Error(usage) that begins with the path.
class FOVEA_API Layers {
 public:
  Layers operator[](std::string_view name) const;
  Layers operator[](int64_t index) const;
  const std::string& path() const;

  // weight [out, in / groups, kernel, kernel], normal of variance 2 / (out kernel^2 / groups) at first; bias [out] from 0.
  Map conv2d(Map x, const ConvolutionOptions& options) const;
  // weight [out, in] and bias [out], uniform within 1 / sqrt(in) at first: at every pixel, of every token.
  Map linear(Map x, int64_t out) const;
  // weight from `first_weight` (0: a residual block starts as its shortcut), bias, running_mean, running_var, num_batches_tracked.
  Map batch_norm(Map x, double first_weight = 1) const;
  Map layer_norm(Map x) const;  // over the channels of each pixel, eps 1e-6
  Map group_norm(Map x, int64_t groups) const;
  // A factor for each channel, "weight", from `start`: layer scale.
  Map channel_scale(Map x, double start) const;
  Map squeeze_excite(Map x, int64_t squeezed) const;  // "fc1" to `squeezed` channels, ReLU, "fc2" back, sigmoid
  Map max_pool2d(Map x, const PoolOptions& options = {}) const;
  Map average_pool2d(Map x, const PoolOptions& options = {}) const;
  Map dropout(Map x, double probability) const;           // of elements, in training
  Map stochastic_depth(Map x, double probability) const;  // of whole pictures, in training
  // Multi-head self-attention between its projections: queries, keys and values [N, 3 C, T, 1] to [N, C, T, 1].
  Map attention(Map queries_keys_values, int64_t heads) const;
  Map to_tokens(Map x) const;                                   // a map's pixels, row by row
  Map to_map(Map tokens, int64_t height, int64_t width) const;  // and back
  // A map plus a learned vector at each of its positions, "weight" [1, positions, C] for the network's own size; resized, bicubic, where
  // pictures have another.
  Map position_embedding(Map x) const;

  // Makes x what this place's name stands for in Model::features and Model::freeze, and returns it.
  Map tap(Map x) const;

 private:
  friend struct ArchitectureAccess;
  struct Context;
  std::shared_ptr<const Context> context_;
};

FOVEA_API Map relu(Map x);
FOVEA_API Map relu6(Map x);
FOVEA_API Map silu(Map x);
FOVEA_API Map gelu(Map x);
FOVEA_API Map sigmoid(Map x);
FOVEA_API Map hard_swish(Map x);
FOVEA_API Map global_average_pool(Map x);  // [N, channels, 1, 1]
// Of the same shape, or of shapes that differ where one has 1.
FOVEA_API Map operator+(Map a, Map b);
FOVEA_API Map operator*(Map a, Map b);
FOVEA_API Map concat(Map a, Map b);  // along the channels

// What losses are made of besides: see TrainOptions::loss_of_maps.
FOVEA_API Map exp(Map x);
FOVEA_API Map log(Map x);
FOVEA_API Map softplus(Map x);      // log(1 + e^x), without overflow; log(sigmoid(x)) is -softplus(-x)
FOVEA_API Map log_softmax(Map x);   // over the channels
FOVEA_API Map sum_channels(Map x);  // [N, 1, height, width]
FOVEA_API Map sum(Map x);           // of all elements, [1, 1, 1, 1]
FOVEA_API Map mean(Map x);
FOVEA_API Map operator-(Map a, Map b);
FOVEA_API Map operator*(double factor, Map x);
FOVEA_API Map operator+(Map x, double number);

struct Architecture {
  std::string name;
  int64_t classes = 10;       // of the head that it starts with
  int64_t input_size = 224;   // height and width of the pictures, unless Preprocessing says otherwise
  int64_t size_multiple = 1;  // that they must be a multiple of (patches)
  // From pictures [N, channels, height, width] to the last map, whose mean is what the head, "head" (linear), reads. Called whenever a
  // graph is wanted, for any batch, from any thread: the same input must give the same layers.
  std::function<Map(Layers, Map)> body = {};
};

// For the rest of the process. There are no published weights: Model::load wants `weights` "none" or a file. A program that loads a model
// file of such a network registers it first. Throws Error(usage) for a name that is empty or taken already, and whatever the body throws.
FOVEA_API void register_architecture(const Architecture& architecture);

}  // namespace fovea
