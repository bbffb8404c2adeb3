#include "nn/blocks.h"

#include <algorithm>
#include <cmath>

#include "ops/constant.h"
#include "ops/conv2d.h"
#include "ops/slice.h"
#include "ops/view.h"

namespace fovea {

SqueezeExciteParameters squeeze_excite_parameters(Scope reduce, Scope expand, int64_t channels, const SqueezeExcite& options) {
  const auto pointwise = [&](Scope s, int64_t in, int64_t out) {
    const Init bias = options.uniform_biases ? uniform_init(1 / std::sqrt(static_cast<double>(in))) : constant_init(0);
    return linear_parameters(s, in, {.out = out, .weight = kaiming_normal(out), .bias = bias, .as_convolution = true});
  };
  const LinearParameters first = pointwise(reduce, channels, options.squeezed);
  return {first, pointwise(expand, options.squeezed, channels)};
}

Value squeeze_excite(Scope reduce, Scope expand, Value x, const SqueezeExciteParameters& parameters, const SqueezeExcite& options) {
  const Value squeezed = linear(reduce, global_average_pool(x), parameters.reduce, 0, options.squeezed);
  return x * activate(options.gate, linear(expand, activate(options.activation, squeezed), parameters.expand, 0, x.channels()));
}

Value squeeze_excite(Scope reduce, Scope expand, Value x, const SqueezeExcite& options) {
  return squeeze_excite(reduce, expand, x, squeeze_excite_parameters(reduce, expand, x.channels(), options), options);
}

Value global_context(Scope s, Value x, const GlobalContext& options) {
  const Scope mlp = s["mlp_scale"];
  const auto pointwise = [&](Scope place, Value y, int64_t out) { return conv2d(place, y, {.out = out, .bias = true}); };
  // The one query is 1, so that the scores are the keys.
  const Value query(s.graph(), s.graph().add(Constant{DType::f32, {x.batch(), 1, 1, 1}, 1}, {}, s.path()).front());
  const Value keys = to_tokens(s, pointwise(s["conv_attn"], x, 1));
  const Value context = cross_attention(s["attention"], query, keys, to_tokens(s, x), 1);
  const Value inside = activate(options.activation, layer_norm(mlp["norm"], pointwise(mlp["fc1"], context, options.squeezed)));
  return x * sigmoid(pointwise(mlp["fc2"], inside, x.channels()));
}

Value multi_query_attention(Scope s, Value x, const MultiQueryAttention& options) {
  const int64_t channels = x.channels(), heads = options.heads, width = options.width;
  const auto project = [&](Scope place, Value y, int64_t out) {
    const Init init = uniform_init(std::sqrt(6.0 / static_cast<double>(y.channels() + out)));
    return conv2d(place["proj"], y, {.out = out, .weight = init});
  };
  const auto shared = [&](Scope place) {
    const Conv2dOptions down{
        .out = channels,
        .kernel = options.kernel,
        .stride = options.stride,
        .padding = (options.kernel - 1) / 2,
        .groups = channels,
        .weight = uniform_init(std::sqrt(6.0 / static_cast<double>((channels + 1) * options.kernel * options.kernel)))};
    const Value y = options.stride == 1 ? x : batch_norm(place["norm"], conv2d(place["down_conv"], x, down), options.norm);
    return to_tokens(place, project(place, y, width));
  };
  const Value queries = to_tokens(s["query"], project(s["query"], x, heads * width));
  const Value keys = shared(s["key"]), values = shared(s["value"]);
  // Heads that share keys and values are further queries of one head.
  const Value mixed = by_head(queries, heads, [&](Value each) {
    const Shape shape = each.shape();
    const Value flat = s.emit(View{{shape.batch(), width, shape.height() * heads, 1}}, {each});
    return s.emit(View{shape}, {cross_attention(s["attention"], flat, keys, values, 1)});
  });
  return project(s["output"], to_map(s, mixed, {x.height(), x.width()}), channels);
}

Value conditional_weight(Scope s, int64_t in, const Conv2dOptions& options, int64_t experts) {
  const int64_t kernel = options.kernel, inputs = in / options.groups;
  const Init init = kaiming_normal(options.out * kernel * kernel / options.groups);
  return s.parameter("weight", {experts * options.out, inputs, kernel, kernel}, {experts, options.out * inputs * kernel * kernel}, init);
}

Value conditional_conv2d(Scope s, Value x, Value weight, Value routing, const Conv2dOptions& options) {
  // The weights of one picture are added up before its convolution, what the convolutions make of several pictures behind them.
  const bool alone = x.batch() == 1;
  Value sum;
  for (int64_t e = 0; e < routing.channels(); ++e) {
    const Value one = s.emit(Slice{0, e * options.out, (e + 1) * options.out}, {weight});
    const Value weighed = (alone ? one : conv2d(s, x, one, options)) * s.emit(Slice{1, e, e + 1}, {routing});
    sum = e == 0 ? weighed : sum + weighed;
  }
  return alone ? conv2d(s, x, sum, options) : sum;
}

Value efficient_channel_attention(Scope conv, Value x, int64_t channels) {
  const auto least = static_cast<int64_t>((std::log2(static_cast<double>(channels)) + 1) / 2);
  const int64_t kernel = std::max<int64_t>(least % 2 == 1 ? least : least + 1, 3), padding = (kernel - 1) / 2;
  const Init init = uniform_init(1 / std::sqrt(static_cast<double>(kernel)));
  // The channels as the rows of a map of one channel.
  const Value means = conv.emit(View{{x.batch(), 1, x.channels(), 1}}, {global_average_pool(x)});
  const Value weight = conv.parameter("weight", {1, 1, kernel, 1}, {1, 1, kernel}, init);
  const Value mixed = conv.emit(Conv2d{.padding = {padding, padding, 0, 0}}, {means, weight});
  return x * sigmoid(conv.emit(View{{x.batch(), x.channels(), 1, 1}}, {mixed}));
}

int64_t scaled_channels(double channels, double multiplier, double least_share) {
  const double wanted = channels * multiplier;
  const int64_t nearest = std::max<int64_t>(8, static_cast<int64_t>(wanted + 4) / 8 * 8);
  return static_cast<double>(nearest) < least_share * wanted ? nearest + 8 : nearest;
}

}  // namespace fovea
