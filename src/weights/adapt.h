// Bringing weights to a network that differs from the one they were trained in: other input channels, pictures of another size.
#pragma once

#include <fovea/tensor.h>

namespace fovea::weights {

// The first convolution's weight for pictures of another number of channels, [O,I,kh,kw] -> [O,channels,kh,kw], as timm's adapt_input_conv
// does it: the sum over the channels for 1; else the channels repeated in turn, scaled by I / channels. The result is f32 where anything
// changes. Throws Error(mismatch) for another rank, Error(usage) for fewer than one channel.
Tensor adapt_input_channels(const Tensor& weight, int64_t channels);

struct Grid {
  int64_t height = 0, width = 0;
  bool operator==(const Grid&) const = default;
};

// The square grid of so many positions. Throws Error(mismatch) where there is none.
Grid square_grid(int64_t positions);

// Position embeddings [1, prefix + height * width, C] of a grid brought to another one, as timm's resample_abs_pos_embed does it: the first
// `prefix` rows (the class token's) stay, the others are resampled bicubically with antialiasing. The result is f32 where anything changes.
// Throws Error(mismatch) for a table that is not of `from`, Error(usage) for a grid without a position.
Tensor resize_position_table(const Tensor& table, int64_t prefix, Grid from, Grid to);

}  // namespace fovea::weights
