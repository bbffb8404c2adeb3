#include "nn/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "ops/add.h"
#include "ops/attention.h"
#include "ops/average_pool2d.h"
#include "ops/batch_norm.h"
#include "ops/blur_pool2d.h"
#include "ops/broadcast_to.h"
#include "ops/concat.h"
#include "ops/conv2d.h"
#include "ops/cross_attention.h"
#include "ops/dropout.h"
#include "ops/global_average_pool.h"
#include "ops/global_response_norm.h"
#include "ops/group_norm.h"
#include "ops/layer_norm.h"
#include "ops/max_pool2d.h"
#include "ops/multiply.h"
#include "ops/resize_bicubic.h"
#include "ops/rms_norm.h"
#include "ops/slice.h"
#include "ops/standardize_weight.h"
#include "ops/view.h"

namespace fovea {
namespace {

// TensorFlow's SAME: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
int64_t same_padding(int64_t size, int64_t kernel, int64_t stride) {
  const int64_t outputs = (size + stride - 1) / stride;
  return std::max<int64_t>((outputs - 1) * stride + kernel - size, 0);
}

Padding2 padding_of(const Conv2dOptions& options, const Shape& x) {
  if (!options.same) return {options.padding, options.padding, options.padding, options.padding};
  const int64_t rows = same_padding(x.height(), options.kernel, options.stride);
  const int64_t columns = same_padding(x.width(), options.kernel, options.stride);
  return {rows / 2, rows - rows / 2, columns / 2, columns - columns / 2};
}

Value channel_parameter(const Scope& s, std::string_view leaf, int64_t channels, Init init) {
  return s.parameter(leaf, {1, channels, 1, 1}, {channels}, init);
}

Value channel_buffer(const Scope& s, std::string_view leaf, int64_t channels, double value) {
  return s.buffer(leaf, {DType::f32, {1, channels, 1, 1}}, {channels}, constant_init(value));
}

// What a nameless operation is called: as the node it is applied to.
const std::string& name_of(Value x) {
  const ValueInfo& info = x.graph().value(x.id());
  return info.producer.valid() ? x.graph().node(info.producer).name : info.name;
}

Value apply(Op op, std::initializer_list<Value> inputs) {
  return emit(std::move(op), std::span<const Value>(inputs.begin(), inputs.size()), name_of(*inputs.begin())).front();
}

}  // namespace

Value conv2d_weight(Scope s, int64_t in, const Conv2dOptions& options) {
  const int64_t out = options.out, kernel = options.kernel, groups = options.groups;
  if (groups < 1 || in % groups != 0 || out % groups != 0)
    fail(ErrorKind::internal, "{}: {} groups do not divide {} and {} channels", s.path(), groups, in, out);
  const int64_t fan_out = out * kernel * kernel / (options.fan_out == FanOut::one_group ? groups : 1);
  const Shape shape{out, in / groups, kernel, kernel};
  const Value weight = s.parameter("weight", shape, {out, in / groups, kernel, kernel}, options.weight.value_or(kaiming_normal(fan_out)));
  if (!options.standardize_eps) return weight;
  return emit(StandardizeWeight{*options.standardize_eps}, std::array{weight}, s.name("weight"))[0];
}

Value conv2d(Scope s, Value x, Value weight, const Conv2dOptions& options) {
  const Conv2d op{{options.stride, options.stride}, padding_of(options, x.shape()), options.groups};
  if (!options.bias) return s.emit(op, {x, weight});
  return s.emit(op, {x, weight, channel_parameter(s, "bias", options.out, options.bias_init.value_or(constant_init(0)))});
}

Value conv2d(Scope s, Value x, const Conv2dOptions& options) {
  const Value weight = conv2d_weight(s, x.channels(), options);
  return conv2d(s, x, weight, options);
}

LinearParameters linear_parameters(Scope s, int64_t in, const LinearOptions& options) {
  const int64_t out = options.out;
  const std::string_view name = options.prefix;
  const std::string prefix = name.empty() ? "" : fmt::format("{}_", name);
  const std::vector<int64_t> stored = options.as_convolution ? std::vector<int64_t>{out, in, 1, 1} : std::vector<int64_t>{out, in};
  const Value weight = s.parameter(prefix + "weight", {out, in, 1, 1}, stored, options.weight);
  return {weight, options.has_bias ? channel_parameter(s, prefix + "bias", out, options.bias) : Value()};
}

Value linear(Scope s, Value x, const LinearOptions& options) {
  const LinearParameters parameters = linear_parameters(s, x.channels(), options);
  const std::string_view name = options.prefix;
  return linear(name.empty() ? s : s[name], x, parameters, 0, options.out);
}

Value linear(Scope s, Value x, const LinearParameters& parameters, int64_t begin, int64_t end) {
  const auto part = [&](Value all, int64_t axis) {
    return begin == 0 && end == all.shape()[static_cast<int>(axis)] ? all : s.emit(Slice{axis, begin, end}, {all});
  };
  const Value weight = part(parameters.weight, 0);
  if (!parameters.bias.valid()) return s.emit(Conv2d{}, {x, weight});
  return s.emit(Conv2d{}, {x, weight, part(parameters.bias, 1)});
}

Value batch_norm(Scope s, Value x, const BatchNormOptions& options) {
  return batch_norm(s, x, batch_norm_parameters(s, x.channels(), options), options);
}

BatchNormParameters batch_norm_parameters(Scope s, int64_t channels, const BatchNormOptions& options) {
  const Value gamma = channel_parameter(s, "weight", channels, constant_init(options.first_weight));
  const Value beta = channel_parameter(s, "bias", channels, constant_init(0));
  const Value mean = channel_buffer(s, "running_mean", channels, 0);
  const Value var = channel_buffer(s, "running_var", channels, 1);
  s.buffer("num_batches_tracked", {DType::i64, {}}, {}, constant_init(0));
  return {gamma, beta, mean, var};
}

Value batch_norm(Scope s, Value x, const BatchNormParameters& p, const BatchNormOptions& options) {
  return s.emit(BatchNorm{options.eps, options.momentum}, {x, p.gamma, p.beta, p.mean, p.var});
}

Value layer_norm(Scope s, Value x, double eps, double first_weight) {
  const int64_t channels = x.channels();
  const Value gamma = channel_parameter(s, "weight", channels, constant_init(first_weight));
  return s.emit(LayerNorm{eps}, {x, gamma, channel_parameter(s, "bias", channels, constant_init(0))});
}

Value rms_norm(Scope s, Value x, double eps, double first_weight) {
  return s.emit(RmsNorm{eps}, {x, channel_parameter(s, "weight", x.channels(), constant_init(first_weight))});
}

Value group_norm(Scope s, Value x, const GroupNormOptions& options) {
  const int64_t channels = x.channels();
  const Value gamma = channel_parameter(s, "weight", channels, constant_init(options.first_weight));
  return s.emit(GroupNorm{options.groups, options.eps}, {x, gamma, channel_parameter(s, "bias", channels, constant_init(0))});
}

Value global_response_norm(Scope s, Value x, double eps) {
  const int64_t channels = x.channels();
  const Value gamma = channel_parameter(s, "weight", channels, constant_init(0));
  return s.emit(GlobalResponseNorm{eps}, {x, gamma, channel_parameter(s, "bias", channels, constant_init(0))});
}

Value channel_scale(Scope s, std::string_view leaf, Value x, double start, std::vector<int64_t> stored) {
  const int64_t channels = x.channels();
  if (stored.empty()) stored = {channels};
  return s.emit(Multiply{}, {x, s.parameter(leaf, {1, channels, 1, 1}, std::move(stored), constant_init(start))});
}

Value max_pool2d(Scope s, Value x, const MaxPool2dOptions& options) {
  const int64_t padding = options.padding;
  return s.emit(MaxPool2d{{options.kernel, options.kernel}, {options.stride, options.stride}, {padding, padding, padding, padding}}, {x});
}

Value average_pool2d(Scope s, Value x, const AveragePool2dOptions& options) {
  // A last row alone is the mean of itself taken twice.
  for (const int axis : {2, 3})
    if (const int64_t size = x.shape()[axis]; options.keep_rest && size % options.stride != 0)
      x = s.emit(Concat{axis}, {x, s.emit(Slice{axis, size - 1, size}, {x})});
  return s.emit(AveragePool2d{{options.kernel, options.kernel}, {options.stride, options.stride}}, {x});
}

Value blur_pool2d(Scope s, Value x, const BlurPool2dOptions& options) { return s.emit(BlurPool2d{options.stride, options.reflect}, {x}); }

Value adaptive_average_pool2d(Scope s, Value x, Size2 size) { return s.emit(AdaptiveAveragePool2d{size}, {x}); }

Value attention(Scope s, Value qkv, int64_t heads) { return s.emit(Attention{heads}, {qkv}); }

Value cross_attention(Scope s, Value q, Value k, Value v, int64_t heads) { return s.emit(CrossAttention{heads}, {q, k, v}); }

Value by_head(Value tokens, int64_t heads, const std::function<Value(Value)>& layer) {
  const Shape shape = tokens.shape();
  const Value each = layer(apply(View{{shape.batch(), shape.channels() / heads, shape.height(), heads}}, {tokens}));
  return apply(View{shape}, {each});
}

Value to_tokens(Scope s, Value map) { return s.emit(View{{map.batch(), map.channels(), map.height() * map.width(), 1}}, {map}); }

Value to_map(Scope s, Value tokens, Size2 grid) {
  return s.emit(View{{tokens.batch(), tokens.channels(), grid.height, grid.width}}, {tokens});
}

Value token_table(Scope s, std::string_view leaf, int64_t count, int64_t channels, Init init) {
  return s[leaf].emit(View{{1, channels, count, 1}}, {s.parameter(leaf, {1, count, channels}, {1, count, channels}, init)});
}

Value position_table(Scope s, std::string_view leaf, int64_t channels, const PositionGrid& grid, Init init) {
  const Value rows = s.positions(leaf, channels, grid.prefix, grid.from, init);
  const Scope place = s[leaf];
  const Value table = place.emit(View{{1, channels, rows.shape()[1], 1}}, {rows});
  if (grid.from == grid.to) return table;
  const Value map = to_map(place, grid.prefix == 0 ? table : slice_tokens(table, grid.prefix, table.height()), grid.from);
  const Value resized = to_tokens(place, place.emit(ResizeBicubic{grid.to}, {map}));
  return grid.prefix == 0 ? resized : concat(slice_tokens(table, 0, grid.prefix), resized, 2);
}

Value dropout(Scope s, Value x, double probability) {
  if (probability == 0) return x;
  return s.emit(Dropout{probability, false}, {x});
}

Value stochastic_depth(Scope s, Value x, double probability) {
  if (probability == 0) return x;
  return s.emit(Dropout{probability, true}, {x});
}

Value activate(ActivationKind kind, Value x) { return apply(Activation{kind}, {x}); }
Value concat(Value a, Value b, int64_t axis) { return apply(Concat{axis}, {a, b}); }
Value mean_of(Value a, Value b) {
  const Value sum = a + b;
  return emit(BroadcastTo{sum.shape(), 0.5}, std::array{sum}, name_of(sum))[0];
}

Value slice_tokens(Value x, int64_t begin, int64_t end) { return apply(Slice{2, begin, end}, {x}); }
Value repeat_batch(Value x, int64_t batch) {
  Shape shape = x.shape();
  shape[0] = batch;
  return apply(BroadcastTo{shape}, {x});
}
Value global_max_pool(Value x) {
  const Size2 whole{x.height(), x.width()};
  return apply(MaxPool2d{whole, whole, {}}, {x});
}
Value global_average_pool(Value x) { return apply(GlobalAveragePool{}, {x}); }
Value operator+(Value a, Value b) { return apply(Add{}, {a, b}); }
Value operator*(Value a, Value b) { return apply(Multiply{}, {a, b}); }

}  // namespace fovea
