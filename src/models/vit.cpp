// Vision transformer: Dosovitskiy et al. 2020, arXiv:2010.11929, figure 1, equations 1 to 4 and table 1, in the layout of torchvision's
// weights; DeiT (Touvron et al. 2020, arXiv:2012.12877), the same by its training, and DINOv2 (Oquab et al. 2023, arXiv:2304.07193), with a
// layer scale and no head, in that of timm's.
#include <cmath>

#include "models/families.h"
#include "nn/layers.h"
#include "ops/view.h"

namespace fovea::models::vit {
namespace {

struct Row {
  const char* name;
  const char* layout;
  int64_t patch, blocks, width, heads;
  int64_t input_size = 224;
  double layer_scale = 0;  // its first value; 0: there is none
  int64_t classes = 1000;
};

Init xavier_uniform(int64_t in, int64_t out) { return uniform_init(std::sqrt(6.0 / static_cast<double>(in + out))); }
// torch's own of linear layers and convolutions: kaiming_uniform of a = sqrt(5).
Init torch_uniform(int64_t fan_in) { return uniform_init(1 / std::sqrt(static_cast<double>(fan_in))); }

Size2 grid_of(Size2 picture, const Row& row) { return {picture.height / row.patch, picture.width / row.patch}; }

PositionGrid position_grid(Value image, Size2 native, const Row& row) {
  return {.prefix = 1, .from = grid_of(native, row), .to = grid_of({image.height(), image.width()}, row)};
}

// One token, stored as [1, 1, width].
Value class_token(Scope s, std::string_view leaf, const Row& row, Init init) {
  return s.parameter(leaf, {1, row.width, 1, 1}, {1, 1, row.width}, init);
}

// The class token's and the grid's, stored as [1, tokens, width]: in the order of tokens in memory.
Value positions(Scope s, std::string_view leaf, const Row& row, const PositionGrid& grid, Init init) {
  const int64_t tokens = grid.prefix + grid.from.height * grid.from.width;
  const Value table = s.parameter(leaf, {1, tokens, row.width}, {1, tokens, row.width}, init);
  return resize_positions(s[leaf], s[leaf].emit(View{{1, row.width, tokens, 1}}, {table}), grid);
}

// Equation 1.
Value embed(Value class_token, Value patches, Value positions) {
  return concat(repeat_batch(class_token, patches.batch()), patches, 2) + positions;
}

// Of the tokens after the last layer norm; equation 4 takes the class token.
Features features_of(Scope s, Value tokens, Size2 grid) {
  const Value token = slice_tokens(tokens, 0, 1);
  return {to_map(s, slice_tokens(tokens, 1, tokens.height()), grid), token, token};
}

// ---- torchvision's layout ----

Value torchvision_patches(Scope s, Value image, const Row& row) {
  const double fan_in = static_cast<double>(image.channels() * row.patch * row.patch);
  const Init weight = truncated_normal_init(std::sqrt(1 / fan_in));
  return conv2d(s, image, {.out = row.width, .kernel = row.patch, .stride = row.patch, .bias = true, .weight = weight});
}

// Equations 2 and 3; figure 1, right.
Value torchvision_block(Scope s, Value x, const Row& row) {
  const int64_t width = row.width;
  const Scope attend = s["self_attention"], mlp = s["mlp"];
  const Init none = constant_init(0), small = normal_init(1e-6);
  Value branch = layer_norm(s["ln_1"], x);
  branch = linear(attend, branch, {.out = 3 * width, .weight = xavier_uniform(width, 3 * width), .bias = none, .prefix = "in_proj"});
  branch = attention(attend["attention"], branch, row.heads);
  x = linear(attend["out_proj"], branch, {.out = width, .weight = torch_uniform(width), .bias = none}) + x;
  branch = layer_norm(s["ln_2"], x);
  branch = gelu(linear(mlp[0], branch, {.out = 4 * width, .weight = xavier_uniform(width, 4 * width), .bias = small}));
  return linear(mlp[3], branch, {.out = width, .weight = xavier_uniform(4 * width, width), .bias = small}) + x;
}

Features torchvision_vit(const Row& row, Scope s, Value image, Size2 native) {
  const Scope conv_proj = s["conv_proj"], encoder = s["encoder"], layers = encoder["layers"], ln = encoder["ln"];
  const PositionGrid grid = position_grid(image, native, row);
  const Value token = class_token(s, "class_token", row, constant_init(0));
  const Value patches = to_tokens(conv_proj, conv_proj.tap(torchvision_patches(conv_proj, image, row)));
  const Value table = positions(encoder, "pos_embedding", row, grid, normal_init(0.02));
  Value x = embed(token, patches, table);
  for (int64_t b = 0; b < row.blocks; ++b) {
    const Scope block = layers["encoder_layer_" + std::to_string(b)];
    x = block.tap_tokens(torchvision_block(block, x, row), grid.to, grid.prefix);
  }
  return features_of(ln, ln.tap_tokens(layer_norm(ln, x), grid.to, grid.prefix), grid.to);
}

// ---- timm's layout ----

Value timm_patches(Scope s, Value image, const Row& row) {
  const Init init = torch_uniform(image.channels() * row.patch * row.patch);
  return conv2d(s, image, {.out = row.width, .kernel = row.patch, .stride = row.patch, .bias = true, .weight = init, .bias_init = init});
}

Value timm_linear(Scope s, Value x, int64_t out) {
  return linear(s, x, {.out = out, .weight = truncated_normal_init(0.02), .bias = constant_init(0)});
}

Value layer_scale(Scope s, Value x, const Row& row) { return row.layer_scale == 0 ? x : channel_scale(s, "gamma", x, row.layer_scale); }

Value timm_block(Scope s, Value x, const Row& row) {
  const Scope attend = s["attn"], mlp = s["mlp"];
  Value branch = timm_linear(attend["qkv"], layer_norm(s["norm1"], x), 3 * row.width);
  branch = timm_linear(attend["proj"], attention(attend["attention"], branch, row.heads), row.width);
  x = layer_scale(s["ls1"], branch, row) + x;
  branch = gelu(timm_linear(mlp["fc1"], layer_norm(s["norm2"], x), 4 * row.width));
  return layer_scale(s["ls2"], timm_linear(mlp["fc2"], branch, row.width), row) + x;
}

Features timm_vit(const Row& row, Scope s, Value image, Size2 native) {
  const Scope patch_embed = s["patch_embed"], blocks = s["blocks"], norm = s["norm"];
  const PositionGrid grid = position_grid(image, native, row);
  const Value token = class_token(s, "cls_token", row, normal_init(1e-6));
  const Value table = positions(s, "pos_embed", row, grid, truncated_normal_init(0.02));
  const Value patches = to_tokens(patch_embed, timm_patches(patch_embed["proj"], image, row));
  patch_embed.tap_tokens(patches, grid.to, 0);
  Value x = embed(token, patches, table);
  for (int64_t b = 0; b < row.blocks; ++b) x = blocks[b].tap_tokens(timm_block(blocks[b], x, row), grid.to, grid.prefix);
  return features_of(norm, norm.tap_tokens(layer_norm(norm, x), grid.to, grid.prefix), grid.to);
}

// ---- variants ----

constexpr Row kRows[] = {
    {"vit_b_16", "torchvision", 16, 12, 768, 12},
    {"vit_b_32", "torchvision", 32, 12, 768, 12},
    {"vit_l_16", "torchvision", 16, 24, 1024, 16},
    {"vit_l_32", "torchvision", 32, 24, 1024, 16},
    {"vit_h_14", "torchvision", 14, 32, 1280, 16, 518},
    {"deit_tiny_patch16_224", "timm", 16, 12, 192, 3},
    {"deit_small_patch16_224", "timm", 16, 12, 384, 6},
    {"deit_base_patch16_224", "timm", 16, 12, 768, 12},
    {"vit_small_patch14_dinov2", "timm", 14, 12, 384, 6, 518, 1e-5, 0},
    {"vit_base_patch14_dinov2", "timm", 14, 12, 768, 12, 518, 1e-5, 0},
};

Init zero_init(int64_t, int64_t) { return constant_init(0); }
Init timm_head_init(int64_t, int64_t) { return truncated_normal_init(0.02); }

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  for (const Row& row : kRows) {
    Variant variant;
    variant.name = row.name;
    variant.family = "vit";
    variant.layout = row.layout;
    variant.feature_width = row.width;
    variant.input_size = row.input_size;
    variant.least_size = variant.size_multiple = row.patch;
    variant.classes = row.classes;
    const bool timm = variant.layout == "timm";
    variant.head = timm ? "head" : "heads.head";
    variant.body = [&row, text = timm ? timm_vit : torchvision_vit](Scope s, Value image, Size2 native) {
      return text(row, s, image, native);
    };
    variant.head_weight_init = timm ? timm_head_init : zero_init;
    variant.head_bias_init = zero_init;
    variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace fovea::models::vit
