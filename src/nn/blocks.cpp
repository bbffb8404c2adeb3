#include "nn/blocks.h"

#include <algorithm>
#include <cmath>

#include "ops/conv2d.h"
#include "ops/view.h"

namespace fovea {

Value squeeze_excite(Scope reduce, Scope expand, Value x, const SqueezeExcite& options) {
  const auto pointwise = [&](Scope s, Value y, int64_t out) {
    const Init bias = options.uniform_biases ? uniform_init(1 / std::sqrt(static_cast<double>(y.channels()))) : constant_init(0);
    return conv2d(s, y, {.out = out, .bias = true, .fan_out = options.fan_out, .bias_init = bias});
  };
  const Value squeezed = pointwise(reduce, global_average_pool(x), options.squeezed);
  return x * activate(options.gate, pointwise(expand, activate(options.activation, squeezed), x.channels()));
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
