// Networks for mobile devices, EfficientNet's family and what was searched for alike, in the layout of timm's weights: a stem, stages of
// blocks, and a last layer before or behind the pooling. The blocks are written as MnasNet's code (Tan et al. 2018, arXiv:1807.11626)
// writes them, "ir_r2_k3_s2_e6_c24_se0.25":
//
//   ds, dsa   depthwise convolution, then a pointwise one (with an activation behind it): Howard et al. 2017, arXiv:1704.04861, figure 3
//   ir        expand, depthwise convolution, project: Sandler et al. 2018, arXiv:1801.04381, figure 4d
//   er        one convolution in place of the first two: Tan and Le 2021, arXiv:2104.00298, figure 2
//   cn        a convolution
//   ircc      the same, with weights that depend on the picture: Yang et al. 2019, arXiv:1904.04971
//   mqa       attention: Qin et al. 2024, arXiv:2404.10518, section 4
//   uir       a depthwise convolution before the expansion, behind it, both or none: Qin et al. 2024, arXiv:2404.10518, figure 4
//
//   r2 blocks in a row, of which the first has the stride        c24 channels       noskip, skip   without or with a shortcut
//   k3 kernel of the depthwise convolution; k3.5 of parts of its channels (Tan and Le 2019, arXiv:1907.09595, figure 3)
//   a3 kernel before it, p3 behind it                            s2 stride          e6             channels inside by those before
//   se0.25 squeeze-and-excitation                                gs64 channels a group (er)        fc24 as if after so many channels (er)
//   nre, nhs, nsw   ReLU, hard swish, SiLU, in place of the network's
//   cc4 weights of which each convolution has a sum (ircc)       h4 d64 v2 heads, their width, the stride of keys and values (mqa)
//   d1 space-to-depth: up to the next stride all is at half the size and four times the channels (ds)
#pragma once

#include <cstdint>
#include <span>

#include "models/registry.h"
#include "nn/layers.h"

namespace fovea::models {

// One string a stage, its kinds of blocks separated by spaces.
using Stages = std::span<const char* const>;

struct MobileNetwork {
  Stages stages;
  double width = 1, depth = 1;  // multipliers of the stages' channels and blocks
  ActivationKind activation = ActivationKind::relu;

  int64_t stem = 32, stem_kernel = 3;
  bool fixed_stem = false;     // its channels are not multiplied
  bool fixed_ends = false;     // the first and the last stage keep their blocks
  bool rounded_depth = false;  // numbers of blocks are rounded, otherwise raised
  double late_depth = 0;       // multiplier of the last two stages' blocks, where it is another
  double least_share = 0.9;    // of the channels wanted that a multiple of 8 has to have

  int64_t features = 1280;       // what the head reads; 0: the last block's channels
  bool pooled_features = false;  // made of the map's means, otherwise of its pixels, with a norm
  bool features_norm = false;    // with a norm in place of the bias, of those made of means
  bool features_bias = true;

  enum class Norm { batch, group, layer } norm = Norm::batch;
  double norm_eps = 1e-5;
  bool same_padding = false;                                                  // TensorFlow's
  enum class AntiAlias { none, average, blur } anti_alias = AntiAlias::none;  // of strides in the blocks

  bool global_context = false;    // in place of squeeze-and-excitation
  bool squeeze_expanded = false;  // se0.25 is of the channels inside, otherwise of those before the block
  bool squeeze_multiple = false;  // to a multiple of 8, otherwise to the nearest number
  bool squeeze_relu = false;      // inside it, otherwise the block's activation
  ActivationKind squeeze_gate = ActivationKind::sigmoid;

  double layer_scale = 0;  // its first value, of uir and mqa; 0: there is none
  int64_t experts = 1;     // factor of the numbers of weights in ircc

  std::span<const int16_t> pruned = {};  // output channels of one convolution after the other (pruned_channels.h), in place of all above
};

Variant mobile_variant(const char* family, std::string name, const MobileNetwork& network, int64_t input_size);

}  // namespace fovea::models
