// Blocks that several families share.
#pragma once

#include "nn/layers.h"

namespace fovea {

// Squeeze-and-excitation (Hu et al. 2018, arXiv:1709.01507, figure 2): x times a gate a channel, from the means over height and width
// through two 1x1 convolutions with biases.
struct SqueezeExcite {
  int64_t squeezed = 0;  // channels between the two
  ActivationKind activation = ActivationKind::relu, gate = ActivationKind::sigmoid;
  FanOut fan_out = FanOut::all_groups;
  bool uniform_biases = false;  // they start as torch.nn.Conv2d's do, otherwise from 0
};
Value squeeze_excite(Scope reduce, Scope expand, Value x, const SqueezeExcite& options);

// Efficient channel attention (Wang et al. 2020, arXiv:1910.03151, figure 2): a gate a channel, from the means of the channels around it,
// by one convolution along the channels, whose kernel grows with the logarithm of `channels`, their number.
Value efficient_channel_attention(Scope conv, Value x, int64_t channels);

// `channels` times a width multiplier, to the nearest multiple of 8 that is not less than this share of them (Sandler et al. 2018's
// reference code, and every mobile network since); at least 8.
int64_t scaled_channels(double channels, double multiplier, double least_share = 0.9);

}  // namespace fovea
