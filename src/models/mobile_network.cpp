#include "models/mobile_network.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "nn/blocks.h"
#include "ops/concat.h"
#include "ops/slice.h"

namespace fovea::models {
namespace {

using Kernels = std::vector<int64_t>;  // of equal parts of the channels

// A block as its text has it.
struct Block {
  std::string kind;
  int64_t repeats = 1, stride = 1, channels = 0, group = 0, forced_channels = 0, experts = 0;
  int64_t heads = 1, head_width = 0, key_stride = 1;
  Kernels kernel{1}, before, behind;
  double expansion = 1, squeeze = 0;
  bool skip = false, no_skip = false, to_depth = false;
  std::optional<ActivationKind> activation;
};

// `body` for the parts of a text between separators.
template <class Body>
void for_parts(std::string_view text, char separator, const Body& body) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    body(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

double read_number(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Kernels read_kernels(std::string_view text) {
  Kernels kernels;
  for_parts(text, '.', [&](std::string_view part) { kernels.push_back(static_cast<int64_t>(read_number(part))); });
  return kernels;
}

void read_word(Block& block, std::string_view word) {
  if (word == "skip") block.skip = true;
  if (word == "noskip") block.no_skip = true;
  if (word == "nre") block.activation = ActivationKind::relu;
  if (word == "nhs") block.activation = ActivationKind::hard_swish;
  if (word == "nsw") block.activation = ActivationKind::silu;
  const size_t digits = word.find_first_of("0123456789");
  if (digits == std::string_view::npos) return;
  const std::string_view key = word.substr(0, digits), value = word.substr(digits);
  const auto whole = static_cast<int64_t>(read_number(value));
  if (key == "r") block.repeats = whole;
  if (key == "s") block.stride = whole;
  if (key == "c") block.channels = whole;
  if (key == "gs") block.group = whole;
  if (key == "fc") block.forced_channels = whole;
  if (key == "k") block.kernel = read_kernels(value);
  if (key == "a") block.before = read_kernels(value);
  if (key == "p") block.behind = read_kernels(value);
  if (key == "e") block.expansion = read_number(value);
  if (key == "se") block.squeeze = read_number(value);
  if (key == "cc") block.experts = whole;
  if (key == "h") block.heads = whole;
  if (key == "v") block.key_stride = whole;
  if (key == "d") (block.kind == "mqa" ? void(block.head_width = whole) : void(block.to_depth = whole > 0));
}

Block read_block(std::string_view text) {
  Block block;
  for_parts(text, '_', [&](std::string_view word) { block.kind.empty() ? void(block.kind = word) : read_word(block, word); });
  return block;
}

double depth_of(const MobileNetwork& network, size_t stage) {
  const size_t count = network.stages.size();
  if (network.fixed_ends && (stage == 0 || stage + 1 == count)) return 1;
  return network.late_depth > 0 && stage + 2 >= count ? network.late_depth : network.depth;
}

// The blocks of a stage one by one. What the multiplier adds goes to its kinds in proportion, from the last to the first.
std::vector<Block> blocks_of(const MobileNetwork& network, size_t stage) {
  std::vector<Block> kinds;
  for_parts(network.stages[stage], ' ', [&](std::string_view text) { kinds.push_back(read_block(text)); });
  int64_t before = 0;
  for (const Block& kind : kinds) before += kind.repeats;
  const double wanted = static_cast<double>(before) * depth_of(network, stage);
  auto scaled = std::max<int64_t>(1, static_cast<int64_t>(network.rounded_depth ? std::nearbyint(wanted) : std::ceil(wanted)));
  std::vector<Block> blocks;
  for (auto kind = kinds.rbegin(); kind != kinds.rend(); ++kind) {
    const double share = static_cast<double>(kind->repeats) / static_cast<double>(before) * static_cast<double>(scaled);
    const int64_t repeats = std::max<int64_t>(1, static_cast<int64_t>(std::nearbyint(share)));
    before -= kind->repeats;
    scaled -= repeats;
    blocks.insert(blocks.begin(), static_cast<size_t>(repeats), *kind);
  }
  for (size_t b = 1; b < blocks.size(); ++b) blocks[b].stride = 1;
  return blocks;
}

// ---- layers ----

class Builder {
 public:
  explicit Builder(const MobileNetwork& network) : network_(network), nominal_(network.fixed_stem ? network.stem : rounded(network.stem)) {}

  Value stem(Scope s, Value x) {
    const Block plain;
    x = conv(s["conv_stem"], x, {.out = kept(nominal_), .kernel = network_.stem_kernel, .stride = 2});
    return s["bn1"].tap(norm_act(s["bn1"], x, plain));
  }

  Value stage(Scope s, Value x, size_t index) {
    const std::vector<Block> blocks = blocks_of(network_, index);
    for (size_t b = 0; b < blocks.size(); ++b) x = block(s[static_cast<int64_t>(b)], x, blocks[b]);
    return s.tap(x);
  }

  Features features(Scope s, Value x) {
    const Block plain;
    if (network_.pooled_features) {
      const Value pooled = global_average_pool(x);
      const Value made =
          conv(s["conv_head"], pooled, {.out = network_.features, .bias = network_.features_bias && !network_.features_norm});
      return {x, pooled, network_.features_norm ? norm_act(s["norm_head"], made, plain) : activate(network_.activation, made)};
    }
    // timm's name for the last map of all such networks, also of those that have no layer there.
    if (network_.features == 0) return features_of(s["bn2"].tap(x));
    return features_of(s["bn2"].tap(norm_act(s["bn2"], conv(s["conv_head"], x, {.out = kept(network_.features)}), plain)));
  }

 private:
  // The channels that pruning left of a convolution that was to have so many.
  int64_t kept(int64_t channels) { return network_.pruned.empty() ? channels : network_.pruned[next_++]; }
  int64_t rounded(int64_t channels) const { return scaled_channels(static_cast<double>(channels), network_.width, network_.least_share); }

  Value conv(Scope s, Value x, Conv2dOptions options) const {
    options.padding = (options.kernel - 1) / 2;
    options.same = options.same || network_.same_padding || options.kernel % 2 == 0;
    options.fan_out = FanOut::one_group;
    return conv2d(s, x, options);
  }

  // Of equal parts of the channels, the rest with the first, each by a kernel of its own.
  Value mixed_conv(Scope s, Value x, const Kernels& kernels, Conv2dOptions options) const {
    if (kernels.size() <= 1) {
      if (!kernels.empty()) options.kernel = kernels[0];
      return conv(s, x, options);
    }
    const bool depthwise = options.groups > 1;
    const auto parts = static_cast<int64_t>(kernels.size()), in = x.channels(), out = options.out;
    const auto share = [&](int64_t channels, int64_t part) { return channels / parts + (part == 0 ? channels % parts : 0); };
    std::vector<Value> made;
    for (int64_t part = 0, begin = 0; part < parts; begin += share(in, part++)) {
      options.out = share(out, part);
      options.kernel = kernels[static_cast<size_t>(part)];
      options.groups = depthwise ? share(in, part) : 1;
      const Value piece = s[part].emit(Slice{1, begin, begin + share(in, part)}, {x});
      made.push_back(conv(s[part], piece, options));
    }
    return emit(Concat{}, made, s.path()).front();
  }

  ActivationKind activation_of(const Block& block) const { return block.activation.value_or(network_.activation); }

  Value norm(Scope s, Value x) const {
    constexpr int64_t kGroup = 8;
    switch (network_.norm) {
      case MobileNetwork::Norm::batch:
        return batch_norm(s, x, {.eps = network_.norm_eps});
      case MobileNetwork::Norm::group:
        return group_norm(s, x, {.groups = x.channels() / kGroup, .eps = network_.norm_eps});
      case MobileNetwork::Norm::layer:
        return layer_norm(s, x, network_.norm_eps);
    }
    return x;
  }
  Value norm_act(Scope s, Value x, const Block& block) const { return activate(activation_of(block), norm(s, x)); }

  bool anti_aliased(int64_t stride) const { return network_.anti_alias != MobileNetwork::AntiAlias::none && stride > 1; }
  Value anti_alias(Scope s, Value x, int64_t stride) const {
    if (!anti_aliased(stride)) return x;
    return network_.anti_alias == MobileNetwork::AntiAlias::average ? average_pool2d(s, x) : blur_pool2d(s, x, {.reflect = false});
  }
  int64_t conv_stride(int64_t stride) const { return anti_aliased(stride) ? 1 : stride; }

  Value squeeze(Scope s, Value x, const Block& block, double ratio) {
    if (block.squeeze == 0) return x;
    const SqueezeExcite options = squeeze_options(x.channels(), block, ratio);
    if (network_.global_context) return global_context(s, x, {options.squeezed, options.activation});
    return squeeze_excite(s["conv_reduce"], s["conv_expand"], x, options);
  }
  SqueezeExcite squeeze_options(int64_t channels, const Block& block, double ratio) {
    const double wanted = static_cast<double>(channels) * ratio;
    const int64_t squeezed =
        network_.squeeze_multiple ? scaled_channels(wanted, 1, network_.least_share) : static_cast<int64_t>(std::nearbyint(wanted));
    return {.squeezed = kept(squeezed),
            .activation = network_.squeeze_relu ? ActivationKind::relu : activation_of(block),
            .gate = network_.squeeze_gate};
  }
  // Of the channels that a block has inside.
  double squeeze_ratio(const Block& block) const { return network_.squeeze_expanded ? block.squeeze : block.squeeze / block.expansion; }

  // ---- blocks ----

  Value block(Scope s, Value x, Block block) {
    block.channels = rounded(block.channels);
    bool enters_depth = false;
    if (block.to_depth && block.kind == "ds") {
      enters_depth = !in_depth_;
      in_depth_ = true;
    } else if (in_depth_ && block.stride > 1) {
      // The stride and the factor are there already.
      block.stride = 1;
      block.expansion /= 4;
      in_depth_ = false;
    }
    if (in_depth_) block.channels *= 4;
    const Value y = any_block(s, x, block, enters_depth);
    nominal_ = block.channels;
    return y;
  }

  Value any_block(Scope s, Value x, const Block& block, bool enters_depth) {
    if (block.kind == "ds" || block.kind == "dsa") return depthwise_separable(s, x, block, enters_depth);
    if (block.kind == "ir") return inverted_residual(s, x, block);
    if (block.kind == "ircc") return conditional(s, x, block);
    if (block.kind == "mqa") return attention_block(s, x, block);
    if (block.kind == "er") return edge_residual(s, x, block);
    if (block.kind == "cn") return convolution(s, x, block);
    if (block.kind == "uir") return universal_inverted(s, x, block);
    fail(ErrorKind::internal, "{}: there is no block '{}'", s.path(), block.kind);
  }

  // By the channels before pruning, which leaves as many on both sides of a shortcut.
  bool has_skip(const Block& block) const { return !block.no_skip && block.stride == 1 && nominal_ == block.channels; }

  Value depthwise_separable(Scope s, Value x, const Block& block, bool enters_depth) {
    const bool skips = block.kind == "ds" && has_skip(block);
    Value y = x;
    Kernels kernel = block.kernel;
    double ratio = block.squeeze;
    if (enters_depth) {
      y = conv(s["conv_s2d"], y, {.out = 4 * x.channels(), .kernel = 2, .stride = 2});
      y = norm_act(s["bn_s2d"], y, block);
      kernel[0] = (kernel[0] + 1) / 2;
      ratio /= 4;
    }
    const int64_t in = y.channels();
    y = mixed_conv(s["conv_dw"], y, kernel, {.out = in, .stride = conv_stride(block.stride), .groups = in});
    y = anti_alias(s["aa"], norm_act(s["bn1"], y, block), block.stride);
    y = squeeze(s["se"], y, block, ratio);
    y = norm(s["bn2"], mixed_conv(s["conv_pw"], y, block.behind, {.out = kept(block.channels)}));
    if (block.kind == "dsa") y = activate(activation_of(block), y);
    return skips ? y + x : y;
  }

  Value inverted_residual(Scope s, Value x, const Block& block) {
    const int64_t inner = kept(scaled_channels(static_cast<double>(x.channels()), block.expansion));
    Value y = norm_act(s["bn1"], mixed_conv(s["conv_pw"], x, block.before, {.out = inner}), block);
    y = mixed_conv(s["conv_dw"], y, block.kernel, {.out = inner, .stride = conv_stride(block.stride), .groups = inner});
    y = anti_alias(s["aa"], norm_act(s["bn2"], y, block), block.stride);
    y = squeeze(s["se"], y, block, squeeze_ratio(block));
    y = norm(s["bn3"], mixed_conv(s["conv_pwl"], y, block.behind, {.out = kept(block.channels)}));
    return has_skip(block) ? y + x : y;
  }

  // The library lists the layer that gives the factors last.
  Value conditional(Scope s, Value x, const Block& block) {
    const int64_t in = x.channels(), inner = scaled_channels(static_cast<double>(in), block.expansion);
    const int64_t experts = block.experts * network_.experts;
    const BatchNormOptions norm{.eps = network_.norm_eps};
    const auto options = [&](int64_t out, int64_t kernel, int64_t stride, int64_t groups) {
      return Conv2dOptions{.out = out, .kernel = kernel, .stride = stride, .groups = groups, .same = true};
    };
    const Conv2dOptions expand = options(inner, 1, 1, 1), spread = options(inner, block.kernel[0], block.stride, inner),
                        project = options(block.channels, 1, 1, 1);
    const SqueezeExcite squeeze = squeeze_options(inner, block, squeeze_ratio(block));
    const Scope reduce = s["se"]["conv_reduce"], widen = s["se"]["conv_expand"];

    const Value expand_weight = conditional_weight(s["conv_pw"], in, expand, experts);
    const BatchNormParameters norm1 = batch_norm_parameters(s["bn1"], inner, norm);
    const Value spread_weight = conditional_weight(s["conv_dw"], inner, spread, experts);
    const BatchNormParameters norm2 = batch_norm_parameters(s["bn2"], inner, norm);
    const SqueezeExciteParameters gate = squeeze_excite_parameters(reduce, widen, inner, squeeze);
    const Value project_weight = conditional_weight(s["conv_pwl"], inner, project, experts);
    const BatchNormParameters norm3 = batch_norm_parameters(s["bn3"], block.channels, norm);
    const Init start = uniform_init(1 / std::sqrt(static_cast<double>(in + experts)));
    const Value routing =
        sigmoid(linear(s["routing_fn"], global_average_pool(x), {.out = experts, .weight = start, .bias = constant_init(0)}));

    const auto act = [&](Value y) { return activate(activation_of(block), y); };
    Value y = act(batch_norm(s["bn1"], conditional_conv2d(s["conv_pw"], x, expand_weight, routing, expand), norm1, norm));
    y = act(batch_norm(s["bn2"], conditional_conv2d(s["conv_dw"], y, spread_weight, routing, spread), norm2, norm));
    y = squeeze_excite(reduce, widen, y, gate, squeeze);
    y = batch_norm(s["bn3"], conditional_conv2d(s["conv_pwl"], y, project_weight, routing, project), norm3, norm);
    return has_skip(block) ? y + x : y;
  }

  Value layer_scale(Scope s, Value x) const { return network_.layer_scale == 0 ? x : channel_scale(s, "gamma", x, network_.layer_scale); }

  Value attention_block(Scope s, Value x, const Block& block) const {
    const MultiQueryAttention options{block.heads, block.head_width, block.key_stride, block.kernel[0], {.eps = network_.norm_eps}};
    const Value y = layer_scale(s["layer_scale"], multi_query_attention(s["attn"], norm(s["norm"], x), options));
    return has_skip(block) ? y + x : y;
  }

  Value edge_residual(Scope s, Value x, const Block& block) {
    const int64_t from = block.forced_channels > 0 ? rounded(block.forced_channels) : x.channels();
    const int64_t inner = scaled_channels(static_cast<double>(from), block.expansion);
    const int64_t groups = block.group > 0 ? inner / block.group : 1;
    Value y = mixed_conv(s["conv_exp"], x, block.kernel, {.out = inner, .stride = conv_stride(block.stride), .groups = groups});
    y = anti_alias(s["aa"], norm_act(s["bn1"], y, block), block.stride);
    y = squeeze(s["se"], y, block, squeeze_ratio(block));
    y = norm(s["bn2"], mixed_conv(s["conv_pwl"], y, block.behind, {.out = block.channels}));
    return has_skip(block) ? y + x : y;
  }

  Value convolution(Scope s, Value x, const Block& block) const {
    Value y = mixed_conv(s["conv"], x, block.kernel, {.out = block.channels, .stride = conv_stride(block.stride)});
    y = anti_alias(s["aa"], norm_act(s["bn1"], y, block), block.stride);
    return block.skip && has_skip(block) ? y + x : y;
  }

  Value depthwise(Scope s, Value x, const Kernels& kernel, int64_t stride) const {
    const int64_t channels = x.channels();
    return norm(s["bn"], mixed_conv(s["conv"], x, kernel, {.out = channels, .stride = conv_stride(stride), .groups = channels}));
  }

  // A kernel of 0 is no convolution. The one inside has the stride, where there is one.
  Value universal_inverted(Scope s, Value x, const Block& block) const {
    const bool starts = !block.before.empty() && block.before[0] > 0, middle = block.kernel[0] > 0;
    const int64_t inner = scaled_channels(static_cast<double>(x.channels()), block.expansion), start_stride = middle ? 1 : block.stride;
    Value y = x;
    if (starts) y = anti_alias(s["dw_start"]["aa"], depthwise(s["dw_start"], y, block.before, start_stride), start_stride);
    const Scope expand = s["pw_exp"], mid = s["dw_mid"], project = s["pw_proj"];
    y = norm_act(expand["bn"], conv(expand["conv"], y, {.out = inner}), block);
    if (middle) y = anti_alias(mid["aa"], activate(activation_of(block), depthwise(mid, y, block.kernel, block.stride)), block.stride);
    y = layer_scale(s["layer_scale"], norm(project["bn"], conv(project["conv"], y, {.out = block.channels})));
    return has_skip(block) ? y + x : y;
  }

  const MobileNetwork& network_;
  int64_t nominal_;  // channels before the block, before pruning
  size_t next_ = 0;  // of what pruning left
  bool in_depth_ = false;
};

Features mobile_network(const MobileNetwork& network, Scope s, Value x) {
  Builder builder(network);
  x = builder.stem(s, x);
  for (size_t i = 0; i < network.stages.size(); ++i) x = builder.stage(s["blocks"][static_cast<int64_t>(i)], x, i);
  return builder.features(s, x);
}

// timm starts a linear layer by its fan out.
Init head_weight_init(int64_t, int64_t outputs) { return uniform_init(1 / std::sqrt(static_cast<double>(outputs))); }
Init head_bias_init(int64_t, int64_t) { return constant_init(0); }

int64_t last_channels(const MobileNetwork& network) {
  const char* last = network.stages.back();
  const std::string_view text(last);
  return scaled_channels(static_cast<double>(read_block(text.substr(text.rfind(' ') + 1)).channels), network.width, network.least_share);
}

}  // namespace

Variant mobile_variant(const char* family, std::string name, const MobileNetwork& network, int64_t input_size) {
  Variant variant;
  variant.name = std::move(name);
  variant.family = family;
  variant.layout = "timm";
  variant.feature_width = network.features > 0 ? network.features : last_channels(network);
  if (!network.pruned.empty()) variant.feature_width = network.pruned.back();
  variant.input_size = input_size;
  if (network.anti_alias == MobileNetwork::AntiAlias::average) variant.least_size = 31;  // means of 2x2, four times
  variant.head = "classifier";
  variant.body = [network](Scope s, Value image, Size2) { return mobile_network(network, s, image); };
  variant.head_weight_init = head_weight_init;
  variant.head_bias_init = head_bias_init;
  return variant;
}

}  // namespace fovea::models
