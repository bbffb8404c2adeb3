// The layers that model texts are made of. Each declares its parameters in its scope, in the order of PyTorch's state dictionaries.
#pragma once

#include <functional>
#include <optional>

#include "nn/init.h"
#include "nn/scope.h"
#include "ops/activation.h"

namespace fovea {

// Which outputs of a grouped convolution count for its first weights' variance: all, as torch.nn.init has it, or one group's, as the
// TensorFlow networks and timm's EfficientNets have it.
enum class FanOut { all_groups, one_group };

struct Conv2dOptions {
  int64_t out = 0;
  int64_t kernel = 1, stride = 1;
  int64_t padding = 0;  // zeros on every side
  int64_t groups = 1;
  bool bias = false;
  bool same = false;  // TensorFlow's SAME in place of `padding`: ceil(size / stride) outputs, the odd zero at the bottom and right
  FanOut fan_out = FanOut::all_groups;
  std::optional<double> standardize_eps = {};  // weight standardization with this eps
  std::optional<Init> weight = {};             // in place of kaiming_normal
  std::optional<Init> bias_init = {};          // in place of 0
};
// weight [out, in / groups, kernel, kernel] by kaiming_normal of the fan out, bias [out] from 0.
Value conv2d(Scope s, Value x, const Conv2dOptions& options);
// The two by themselves, the weight of a convolution of `in` channels and the convolution by it: for a place whose weight the library
// lists before the parameters of the layers in front.
Value conv2d_weight(Scope s, int64_t in, const Conv2dOptions& options);
Value conv2d(Scope s, Value x, Value weight, const Conv2dOptions& options);

struct LinearOptions {
  int64_t out = 0;
  Init weight = {}, bias = {};
  const char* prefix = "";  // "in_proj" for "in_proj_weight" and "in_proj_bias", as torch.nn.MultiheadAttention has them
  bool has_bias = true;
  bool as_convolution = false;  // stored as [out, in, 1, 1]
};
// weight [out, in], bias [out], on x [N, in, H, W]: at every pixel, or of every token of [N, in, T, 1].
Value linear(Scope s, Value x, const LinearOptions& options);
// The parameters by themselves, and the layer of its outputs `begin` to `end` - 1 alone: where the library stores several layers as one.
struct LinearParameters {
  Value weight, bias;  // bias: invalid where there is none
};
LinearParameters linear_parameters(Scope s, int64_t in, const LinearOptions& options);
Value linear(Scope s, Value x, const LinearParameters& parameters, int64_t begin, int64_t end);

struct BatchNormOptions {
  double eps = 1e-5, momentum = 0.1;
  double first_weight = 1;  // 0: a residual block starts as its shortcut
};
// weight from `first_weight`, bias 0, running_mean 0, running_var 1, all [C], and the counter num_batches_tracked, which no node of the
// text reads: lowering increments it where the layer trains.
Value batch_norm(Scope s, Value x, const BatchNormOptions& options = {});
// The parameters by themselves: for a place that the library lists before the parameters of the layers in front.
struct BatchNormParameters {
  Value gamma, beta, mean, var;
};
BatchNormParameters batch_norm_parameters(Scope s, int64_t channels, const BatchNormOptions& options = {});
Value batch_norm(Scope s, Value x, const BatchNormParameters& parameters, const BatchNormOptions& options = {});

// weight from `first_weight`, bias 0, both [C].
Value layer_norm(Scope s, Value x, double eps = 1e-6, double first_weight = 1);
// weight from `first_weight`, [C].
Value rms_norm(Scope s, Value x, double eps = 1e-6, double first_weight = 1);
struct GroupNormOptions {
  int64_t groups = 32;
  double eps = 1e-5;
  double first_weight = 1;
};
Value group_norm(Scope s, Value x, const GroupNormOptions& options = {});
// weight and bias from 0, both [C].
Value global_response_norm(Scope s, Value x, double eps = 1e-6);

// x times a factor for each channel, the parameter `leaf` of this place, from `start`; stored as [C] or, where `stored` is given, in that
// shape.
Value channel_scale(Scope s, std::string_view leaf, Value x, double start, std::vector<int64_t> stored = {});

struct MaxPool2dOptions {
  int64_t kernel = 2, stride = 2, padding = 0;
};
Value max_pool2d(Scope s, Value x, const MaxPool2dOptions& options);
struct AveragePool2dOptions {
  int64_t kernel = 2, stride = 2;
  bool keep_rest = false;  // a last row or column that fills no window is averaged by itself (ceil_mode); for windows of two alone
};
Value average_pool2d(Scope s, Value x, const AveragePool2dOptions& options = {});
// One place in `stride` of what a binomial filter of three places gives; beyond the border lies its reflection, or zeros.
struct BlurPool2dOptions {
  int64_t stride = 2;
  bool reflect = true;
};
Value blur_pool2d(Scope s, Value x, const BlurPool2dOptions& options = {});
// Means over height x width windows of as equal a size as can be; the identity where x has that size already.
Value adaptive_average_pool2d(Scope s, Value x, Size2 size);

// Multi-head self-attention between the projections: qkv [N, 3 C, T, 1] -> [N, C, T, 1].
Value attention(Scope s, Value qkv, int64_t heads);
// Attention of queries q [N, C, Q, 1] to the keys k [N, C, T, 1] and values v [N, V, T, 1] of other tokens -> [N, V, Q, 1].
Value cross_attention(Scope s, Value q, Value k, Value v, int64_t heads);
// What a layer makes of every head by itself: tokens [N, C, T, 1] become [N, C / heads, T, heads] for it, and again tokens.
Value by_head(Value tokens, int64_t heads, const std::function<Value(Value)>& layer);
// A map [N, C, H, W] as tokens [N, C, H W, 1], row by row, and back.
Value to_tokens(Scope s, Value map);
Value to_map(Scope s, Value tokens, Size2 grid);
// Learned tokens [1, C, count, 1], the parameter `leaf` of this place, stored as [1, count, C].
Value token_table(Scope s, std::string_view leaf, int64_t count, int64_t channels, Init init);
// Position embeddings, tokens [1, C, prefix + places of `to`, 1], from those of the grid `from`: bicubic, the prefix as it is. Stored as
// [1, prefix + places of `from`, C].
struct PositionGrid {
  int64_t prefix = 0;
  Size2 from, to;
};
Value position_table(Scope s, std::string_view leaf, int64_t channels, const PositionGrid& grid, Init init);

// Elements (dropout) or whole pictures (stochastic depth) are dropped with this probability in training; nothing is emitted for 0.
Value dropout(Scope s, Value x, double probability);
Value stochastic_depth(Scope s, Value x, double probability);

// These take the name of what they are applied to.
Value activate(ActivationKind kind, Value x);
inline Value relu(Value x) { return activate(ActivationKind::relu, x); }
inline Value relu6(Value x) { return activate(ActivationKind::relu6, x); }
inline Value silu(Value x) { return activate(ActivationKind::silu, x); }
inline Value sigmoid(Value x) { return activate(ActivationKind::sigmoid, x); }
inline Value hard_swish(Value x) { return activate(ActivationKind::hard_swish, x); }
inline Value hard_sigmoid(Value x) { return activate(ActivationKind::hard_sigmoid, x); }
inline Value gelu(Value x) { return activate(ActivationKind::gelu, x); }
Value global_average_pool(Value x);
Value global_max_pool(Value x);
// Along the channels, and along the tokens (axis 2).
Value concat(Value a, Value b, int64_t axis = 1);
// Of two vectors [N, C, 1, 1].
Value mean_of(Value a, Value b);
// Tokens `begin` to `end` - 1.
Value slice_tokens(Value x, int64_t begin, int64_t end);
// One row for each picture of a value [1, C, T, 1].
Value repeat_batch(Value x, int64_t batch);
Value operator+(Value a, Value b);
Value operator*(Value a, Value b);

}  // namespace fovea
