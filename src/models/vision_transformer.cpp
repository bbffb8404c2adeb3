// Vision transformers (Dosovitskiy et al. 2020, arXiv:2010.11929, figure 1 and equations 1 to 4) in the layouts of torchvision's and timm's
// weights, with what later papers changed as fields of VitKind.
#include "models/vision_transformer.h"

#include <cmath>

#include "nn/differential_attention.h"
#include "nn/layers.h"
#include "ops/slice.h"

namespace fovea::models {
namespace {

Init xavier_uniform(int64_t in, int64_t out) { return uniform_init(std::sqrt(6.0 / static_cast<double>(in + out))); }
// torch's own of linear layers and convolutions: kaiming_uniform of a = sqrt(5).
Init torch_uniform(int64_t fan_in) { return uniform_init(1 / std::sqrt(static_cast<double>(fan_in))); }

Size2 grid_of(Size2 picture, const VitRow& row) { return {picture.height / row.patch, picture.width / row.patch}; }

PositionGrid position_grid(Value image, Size2 native, const VitRow& row, int64_t prefix) {
  return {.prefix = prefix, .from = grid_of(native, row), .to = grid_of({image.height(), image.width()}, row)};
}

// Of all tokens: the map of those that have a place. Equation 4 takes the first of the others.
Value places_of(Value tokens, int64_t prefix) { return prefix == 0 ? tokens : slice_tokens(tokens, prefix, tokens.height()); }

Features vit_features(Scope s, Value tokens, Size2 grid, int64_t prefix, VitPooling pooling) {
  const Value map = to_map(s, places_of(tokens, prefix), grid);
  const Value pooled = pooling == VitPooling::class_token ? slice_tokens(tokens, 0, 1) : global_average_pool(map);
  return {map, pooled, pooled};
}

// ---- torchvision's layout ----

Value torchvision_patches(Scope s, Value image, const VitRow& row) {
  const double fan_in = static_cast<double>(image.channels() * row.patch * row.patch);
  const Init weight = truncated_normal_init(std::sqrt(1 / fan_in));
  return conv2d(s, image, {.out = row.size.width, .kernel = row.patch, .stride = row.patch, .bias = true, .weight = weight});
}

// Equations 2 and 3; figure 1, right.
Value torchvision_block(Scope s, Value x, const VitSize& size) {
  const int64_t width = size.width, hidden = size.hidden;
  const Scope attend = s["self_attention"], mlp = s["mlp"];
  const Init none = constant_init(0), small = normal_init(1e-6);
  Value branch = layer_norm(s["ln_1"], x);
  branch = linear(attend, branch, {.out = 3 * width, .weight = xavier_uniform(width, 3 * width), .bias = none, .prefix = "in_proj"});
  branch = attention(attend["attention"], branch, size.heads);
  x = linear(attend["out_proj"], branch, {.out = width, .weight = torch_uniform(width), .bias = none}) + x;
  branch = layer_norm(s["ln_2"], x);
  branch = gelu(linear(mlp[0], branch, {.out = hidden, .weight = xavier_uniform(width, hidden), .bias = small}));
  return linear(mlp[3], branch, {.out = width, .weight = xavier_uniform(hidden, width), .bias = small}) + x;
}

Features torchvision_vit(const VitRow& row, Scope s, Value image, Size2 native) {
  const Scope conv_proj = s["conv_proj"], encoder = s["encoder"], layers = encoder["layers"], ln = encoder["ln"];
  const int64_t width = row.size.width;
  const PositionGrid grid = position_grid(image, native, row, 1);
  const Value token = token_table(s, "class_token", 1, width, constant_init(0));
  const Value patches = to_tokens(conv_proj, conv_proj.tap(torchvision_patches(conv_proj, image, row)));
  const Value table = position_table(encoder, "pos_embedding", width, grid, normal_init(0.02));
  Value x = concat(repeat_batch(token, image.batch()), patches, 2) + table;  // equation 1
  for (int64_t b = 0; b < row.size.depth; ++b) {
    const Scope block = layers["encoder_layer_" + std::to_string(b)];
    x = block.tap_tokens(torchvision_block(block, x, row.size), grid.to, 1);
  }
  return vit_features(ln, ln.tap_tokens(layer_norm(ln, x), grid.to, 1), grid.to, 1, VitPooling::class_token);
}

// ---- timm's layout ----

// One network: the kind, the sizes, and the layers as both ask for them.
struct Vit {
  const VitKind& kind;
  const VitRow& row;

  Value patches(Scope s, Value image) const {
    const int64_t patch = row.patch;
    const Init init = torch_uniform(image.channels() * patch * patch);
    return conv2d(s, image,
                  {.out = row.size.width, .kernel = patch, .stride = patch, .bias = !kind.norm_first, .weight = init, .bias_init = init});
  }

  LinearOptions linear_of(int64_t out, bool bias) const {
    return {.out = out, .weight = truncated_normal_init(0.02), .bias = constant_init(0), .has_bias = bias};
  }
  Value linear_layer(Scope s, Value x, int64_t out) const { return linear(s, x, linear_of(out, kind.bias)); }

  Value norm(Scope s, Value x, double first_weight = 1) const {
    if (kind.norm == VitNorm::root_mean_square) return rms_norm(s, x, kind.eps, first_weight);
    return layer_norm(s, x, kind.eps, first_weight);
  }

  Value layer_scale(Scope s, Value x) const { return kind.layer_scale == 0 ? x : channel_scale(s, "gamma", x, kind.layer_scale); }

  int64_t half_head() const { return row.size.width / row.size.heads / 2; }

  // Equation 2 between its projections. The rows of `qkv`, a layer at `at`, give queries, keys and values from `begin` on.
  Value attended(Scope s, Scope at, Value x, const LinearParameters& qkv, int64_t begin, int64_t block,
                 const DifferentialWeights& weights) const {
    const int64_t width = row.size.width, heads = row.size.heads;
    if (kind.differential) return differential_attention(s, at, x, qkv, weights, {begin, heads, half_head(), block});
    if (!kind.qk_norm) return attention(s["attention"], linear(at, x, qkv, begin, begin + 3 * width), heads);
    const auto head_norm = [&](Scope place, int64_t part) {
      return by_head(linear(at, x, qkv, begin + part * width, begin + (part + 1) * width), heads,
                     [&](Value each) { return norm(place, each); });
    };
    const Value q = head_norm(s["q_norm"], 0), k = head_norm(s["k_norm"], 1);
    return cross_attention(s["attention"], q, k, linear(at, x, qkv, begin + 2 * width, begin + 3 * width), heads);
  }

  // Equation 2 without its norm.
  Value attend(Scope s, Value x, int64_t block) const {
    const int64_t width = row.size.width;
    DifferentialWeights weights;
    if (kind.differential) weights = differential_weights(s, half_head());
    const LinearParameters qkv = linear_parameters(s["qkv"], width, linear_of(3 * width, kind.qkv_bias));
    if (!kind.differential) {
      x = attended(s, s["qkv"], x, qkv, 0, block, weights);
      if (kind.inner_norms) x = norm(s["norm"], x);
      return linear_layer(s["proj"], x, width);
    }
    const LinearParameters proj = linear_parameters(s["proj"], width, linear_of(width, kind.bias));
    add_differential_norm(s, half_head(), weights);
    return linear(s["proj"], attended(s, s["qkv"], x, qkv, 0, block, weights), proj, 0, width);
  }

  // Equation 3 without its norm.
  Value mlp(Scope s, Value x) const {
    const int64_t hidden = row.size.hidden;
    if (kind.mlp == VitMlp::gated) {
      const LinearParameters both = linear_parameters(s["fc1"], x.channels(), linear_of(hidden, kind.bias));
      x = activate(kind.activation, linear(s["fc1"], x, both, 0, hidden / 2)) * linear(s["fc1"], x, both, hidden / 2, hidden);
    } else if (kind.mlp == VitMlp::gated_in_two) {
      const Value gate = activate(kind.activation, linear_layer(s["fc1_g"], x, hidden));
      x = gate * linear_layer(s["fc1_x"], x, hidden);
    } else {
      x = activate(kind.activation, linear_layer(s["fc1"], x, hidden));
    }
    if (kind.inner_norms) x = norm(s["norm"], x);
    return linear_layer(s["fc2"], x, row.size.width);
  }

  // Figure 1, right.
  Value sequential(Scope s, Value x, int64_t block) const {
    x = layer_scale(s["ls1"], attend(s["attn"], norm(s["norm1"], x), block)) + x;
    return layer_scale(s["ls2"], mlp(s["mlp"], norm(s["norm2"], x))) + x;
  }

  Value norm_last(Scope s, Value x, int64_t block) const {
    x = norm(s["norm1"], attend(s["attn"], x, block), kind.layer_scale) + x;
    return norm(s["norm2"], mlp(s["mlp"], x), kind.layer_scale) + x;
  }

  Value twice(Scope s, Value x, int64_t block) const {
    const auto attention_branch = [&](Scope b) { return layer_scale(b["ls"], attend(b["attn"], norm(b["norm"], x), block)); };
    const auto mlp_branch = [&](Scope b) { return layer_scale(b["ls"], mlp(b["mlp"], norm(b["norm"], x))); };
    const Value first = attention_branch(s["attns"][0]);
    x = first + attention_branch(s["attns"][1]) + x;
    const Value first_mlp = mlp_branch(s["ffns"][0]);
    return first_mlp + mlp_branch(s["ffns"][1]) + x;
  }

  // One projection gives the MLP's inside and then queries, keys and values.
  Value parallel(Scope s, Value x, int64_t block) const {
    const int64_t width = row.size.width, hidden = row.size.hidden;
    Value inside_bias;
    if (!kind.qkv_bias) inside_bias = s.parameter("mlp_bias", {1, hidden, 1, 1}, {hidden}, constant_init(0));
    DifferentialWeights weights;
    if (kind.differential) weights = differential_weights(s, half_head());
    x = norm(s["in_norm"], x);
    const LinearParameters all = linear_parameters(s["in_proj"], width, linear_of(hidden + 3 * width, kind.qkv_bias));
    if (kind.differential) add_differential_norm(s, half_head(), weights);
    Value inside = linear(s["in_proj"], x, all, 0, hidden);
    if (inside_bias.valid()) inside = inside + inside_bias;
    inside = activate(kind.activation, inside);
    const Value outside = attended(s, s["in_proj"], x, all, hidden, block, weights);
    if (kind.block == VitBlock::parallel) {
      const Value projected = linear_layer(s["attn_out_proj"], outside, width);
      return layer_scale(s["ls"], linear_layer(s["mlp_out_proj"], inside, width) + projected);
    }
    // One layer of the two side by side, which need not be brought there: of its weight each has some columns.
    const LinearParameters out = linear_parameters(s["out_proj"], width + hidden, linear_of(width, kind.bias));
    const auto columns = [&](int64_t begin, int64_t end) { return s["out_proj"].emit(Slice{1, begin, end}, {out.weight}); };
    const Value first = linear(s["out_proj"], outside, {columns(0, width), out.bias}, 0, width);
    return layer_scale(s["ls"], linear(s["out_proj"], inside, {columns(width, width + hidden), Value()}, 0, width) + first);
  }

  Value block(Scope s, Value x, int64_t number) const {
    switch (kind.block) {
      case VitBlock::sequential:
        return sequential(s, x, number);
      case VitBlock::norm_last:
        return norm_last(s, x, number);
      case VitBlock::twice:
        return twice(s, x, number);
      case VitBlock::parallel:
      case VitBlock::parallel_one_output:
        return parallel(s, x, number) + x;
    }
    return x;
  }

  // A learned query attends to the tokens; an MLP follows.
  Value attention_pool(Scope s, Value x) const {
    const int64_t width = row.size.width;
    const Value latent = token_table(s, "latent", 1, width, truncated_normal_init(1 / std::sqrt(static_cast<double>(width))));
    const Value query = repeat_batch(linear(s["q"], latent, linear_of(width, true)), x.batch());
    const LinearParameters kv = linear_parameters(s["kv"], width, linear_of(2 * width, true));
    const Value k = linear(s["kv"], x, kv, 0, width), v = linear(s["kv"], x, kv, width, 2 * width);
    x = linear(s["proj"], cross_attention(s["attention"], query, k, v, row.size.heads), linear_of(width, true));
    Value branch = activate(kind.activation, linear(s["mlp"]["fc1"], norm(s["norm"], x), linear_of(row.size.hidden, true)));
    return linear(s["mlp"]["fc2"], branch, linear_of(width, true)) + x;
  }
};

// In the order of timm's state dictionaries: tokens and positions come first.
Features timm_vit(const VitKind& kind, const VitRow& row, Scope s, Value image, Size2 native) {
  const Vit vit{kind, row};
  const int64_t width = row.size.width, prefix = (kind.class_token ? 1 : 0) + (kind.distilled ? 1 : 0) + kind.registers;
  const PositionGrid grid = position_grid(image, native, row, kind.only_places_embedded ? 0 : prefix);
  std::vector<Value> tokens;
  const auto own_tokens = [&](std::string_view leaf, int64_t count) {
    if (count > 0) tokens.push_back(repeat_batch(token_table(s, leaf, count, width, normal_init(1e-6)), image.batch()));
  };
  own_tokens("cls_token", kind.class_token ? 1 : 0);
  own_tokens("reg_token", kind.registers);
  const Value table = position_table(s, "pos_embed", width, grid, truncated_normal_init(0.02));
  if (kind.distilled) tokens.push_back(repeat_batch(token_table(s, "dist_token", 1, width, truncated_normal_init(0.02)), image.batch()));

  const Scope patch_embed = s["patch_embed"], blocks = s["blocks"];
  Value x = to_tokens(patch_embed, vit.patches(patch_embed["proj"], image));
  if (kind.norm_patches) x = vit.norm(patch_embed["norm"], x);
  patch_embed.tap_tokens(x, grid.to, 0);
  if (kind.only_places_embedded) x = x + table;
  for (auto token = tokens.rbegin(); token != tokens.rend(); ++token) x = concat(*token, x, 2);
  if (!kind.only_places_embedded) x = x + table;
  if (kind.norm_first) x = vit.norm(s["norm_pre"], x);
  for (int64_t b = 0; b < row.size.depth; ++b) x = blocks[b].tap_tokens(vit.block(blocks[b], x, b), grid.to, prefix);
  if (kind.last_norm == VitLastNorm::before_pooling) x = s["norm"].tap_tokens(vit.norm(s["norm"], x), grid.to, prefix);

  Features features = vit_features(s["norm"], x, grid.to, prefix, kind.pooling);
  if (kind.pooling == VitPooling::attention)
    features.pooled = features.pre_logits = vit.attention_pool(s["attn_pool"], kind.pool_all_tokens ? x : places_of(x, prefix));
  if (kind.distilled) {
    const Value first = slice_tokens(x, 0, 1), second = slice_tokens(x, 1, 2);
    features.head_vectors = {first, second};
    features.pooled = features.pre_logits = mean_of(first, second);
  }
  if (kind.last_norm == VitLastNorm::after_pooling) features.pre_logits = vit.norm(s["fc_norm"], features.pooled);
  return features;
}

// ---- variants ----

Init zero_init(int64_t, int64_t) { return constant_init(0); }
Init timm_head_init(int64_t, int64_t) { return truncated_normal_init(0.02); }

Variant variant_of(const VitRow& row) {
  Variant variant;
  variant.name = row.name;
  variant.family = "vit";
  variant.feature_width = row.size.width;
  variant.input_size = row.input_size;
  variant.least_size = variant.size_multiple = row.patch;
  variant.classes = row.classes;
  variant.head_bias_init = zero_init;
  return variant;
}

}  // namespace

void add_vits(std::vector<Variant>& to, const VitKind& kind, std::span<const VitRow> rows) {
  for (const VitRow& row : rows) {
    Variant& variant = to.emplace_back(variant_of(row));
    variant.layout = "timm";
    variant.head = "head";
    if (kind.distilled) variant.second_head = "head_dist";
    variant.body = [&kind, &row](Scope s, Value image, Size2 native) { return timm_vit(kind, row, s, image, native); };
    variant.head_weight_init = timm_head_init;
  }
}

void add_torchvision_vits(std::vector<Variant>& to, std::span<const VitRow> rows) {
  for (const VitRow& row : rows) {
    Variant& variant = to.emplace_back(variant_of(row));
    variant.layout = "torchvision";
    variant.head = "heads.head";
    variant.body = [&row](Scope s, Value image, Size2 native) { return torchvision_vit(row, s, image, native); };
    variant.head_weight_init = zero_init;
  }
}

}  // namespace fovea::models
