// Blocks that several families share.
#pragma once

#include "nn/layers.h"

namespace fovea {

// Squeeze-and-excitation (Hu et al. 2018, arXiv:1709.01507, figure 2): x times a gate a channel, from the means over height and width
// through two 1x1 convolutions with biases.
struct SqueezeExcite {
  int64_t squeezed = 0;  // channels between the two
  ActivationKind activation = ActivationKind::relu, gate = ActivationKind::sigmoid;
  bool uniform_biases = false;  // they start as torch.nn.Conv2d's do, otherwise from 0
};
Value squeeze_excite(Scope reduce, Scope expand, Value x, const SqueezeExcite& options);

// Of a place whose parameters the library lists before those of the layers in front.
struct SqueezeExciteParameters {
  LinearParameters reduce, expand;
};
SqueezeExciteParameters squeeze_excite_parameters(Scope reduce, Scope expand, int64_t channels, const SqueezeExcite& options);
Value squeeze_excite(Scope reduce, Scope expand, Value x, const SqueezeExciteParameters& parameters, const SqueezeExcite& options);

// A gate a channel like squeeze-and-excitation's, but from a mean whose weights a softmax over the pixels gives (Cao et al. 2019,
// arXiv:1904.11492, figure 4d), with a norm between the two layers.
struct GlobalContext {
  int64_t squeezed = 0;  // channels between the two
  ActivationKind activation = ActivationKind::relu;
};
Value global_context(Scope s, Value x, const GlobalContext& options);

// Attention of `heads` queries a pixel to one key and one value a pixel, which all heads share (Shazeer 2019, arXiv:1911.02150); keys and
// values come from every `stride`-th pixel (Qin et al. 2024, arXiv:2404.10518, section 4).
struct MultiQueryAttention {
  int64_t heads = 1, width = 64;   // of a query, a key and a value
  int64_t stride = 1, kernel = 3;  // of the depthwise convolution before keys and values, where there is a stride
  BatchNormOptions norm = {};      // behind it
};
Value multi_query_attention(Scope s, Value x, const MultiQueryAttention& options);

// A convolution whose weight is a sum of `experts` weights, each times a factor that depends on the picture (Yang et al. 2019,
// arXiv:1904.04971, equation 1): `routing` [N, experts, 1, 1]. The library stores one row a weight.
Value conditional_weight(Scope s, int64_t in, const Conv2dOptions& options, int64_t experts);
Value conditional_conv2d(Scope s, Value x, Value weight, Value routing, const Conv2dOptions& options);

// Efficient channel attention (Wang et al. 2020, arXiv:1910.03151, figure 2): a gate a channel, from the means of the channels around it,
// by one convolution along the channels, whose kernel grows with the logarithm of `channels`, their number.
Value efficient_channel_attention(Scope conv, Value x, int64_t channels);

// `channels` times a width multiplier, to the nearest multiple of 8 that is not less than this share of them (Sandler et al. 2018's
// reference code, and every mobile network since); at least 8.
int64_t scaled_channels(double channels, double multiplier, double least_share = 0.9);

}  // namespace fovea
