#include "nn/blocks.h"

#include <algorithm>

namespace fovea {

Value squeeze_excite(Scope reduce, Scope expand, Value x, const SqueezeExcite& options) {
  Value gate = conv2d(reduce, global_average_pool(x), {.out = options.squeezed, .bias = true, .fan_out = options.fan_out});
  gate = conv2d(expand, activate(options.activation, gate), {.out = x.channels(), .bias = true, .fan_out = options.fan_out});
  return x * activate(options.gate, gate);
}

int64_t scaled_channels(int64_t channels, double multiplier) {
  const double wanted = static_cast<double>(channels) * multiplier;
  const int64_t nearest = std::max<int64_t>(8, static_cast<int64_t>(wanted + 4) / 8 * 8);
  return static_cast<double>(nearest) < 0.9 * wanted ? nearest + 8 : nearest;
}

}  // namespace fovea
