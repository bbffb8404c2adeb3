// Pre-activation ResNet: He et al. 2016, arXiv:1603.05027, figures 1b and 4e; the stride sits on the 3x3. BiT (Kolesnikov et al. 2020,
// arXiv:1912.11370, section 3.1) normalizes by groups, standardizes its convolutions' weights and widens everything; "d" has the stem and
// the shortcut of He et al. 2018, arXiv:1812.01187, figure 2. All follow the layout of timm's weights.
#include <array>

#include "models/families.h"
#include "nn/layers.h"
#include "ops/slice.h"

namespace fovea::models::preact_resnet {
namespace {

enum class BlockKind { basic, bottleneck };
enum class Norm { batch, group };

// What a variant does otherwise than the paper's network.
struct Changes {
  Norm norm = Norm::batch;
  bool standardized = false;     // weights, and zeros around the stem's max-pool that take part in the maximum
  bool deep_stem = false;        // three 3x3 in place of the 7x7
  bool pooled_shortcut = false;  // means of 2x2 before the projection, which then has no stride
};

struct Row {
  const char* name;
  BlockKind block;
  std::array<int64_t, 4> blocks;  // a stage
  Changes changes = {};
  int64_t widening = 1;      // factor of every layer's channels
  int64_t input_size = 224;  // of timm's default weights
};

struct Block {
  const Row& row;
  int64_t out;
  int64_t stride;
};

Conv2dOptions as_in(const Row& row, Conv2dOptions conv) {
  conv.padding = (conv.kernel - 1) / 2;
  if (row.changes.standardized) conv.standardize_eps = 1e-8;
  return conv;
}

Value norm_relu(Scope s, Value x, const Row& row) { return relu(row.changes.norm == Norm::group ? group_norm(s, x) : batch_norm(s, x)); }

// Figure 4e from its first weights on.
Value basic_branch(Scope s, Value x, const Block& block) {
  x = conv2d(s["conv1"], x, as_in(block.row, {.out = block.out, .kernel = 3, .stride = block.stride}));
  return conv2d(s["conv2"], norm_relu(s["norm2"], x, block.row), as_in(block.row, {.out = block.out, .kernel = 3}));
}

Value bottleneck_branch(Scope s, Value x, const Block& block) {
  const int64_t inner = block.out / 4;
  x = conv2d(s["conv1"], x, as_in(block.row, {.out = inner}));
  x = conv2d(s["conv2"], norm_relu(s["norm2"], x, block.row), as_in(block.row, {.out = inner, .kernel = 3, .stride = block.stride}));
  return conv2d(s["conv3"], norm_relu(s["norm3"], x, block.row), as_in(block.row, {.out = block.out}));
}

// Where the shapes differ the shortcut is a projection, of the normalized and activated input.
Value residual_block(Scope s, Value x, const Block& block) {
  const bool projects = block.stride != 1 || x.channels() != block.out;
  const bool pools = block.row.changes.pooled_shortcut && block.stride != 1;
  const Conv2dOptions projection = as_in(block.row, {.out = block.out, .stride = pools ? 1 : block.stride});
  const Scope place = s["downsample"]["conv"];
  const Value weight = projects ? conv2d_weight(place, x.channels(), projection) : Value();

  const Value active = norm_relu(s["norm1"], x, block.row);
  const Value pooled = pools ? average_pool2d(s["downsample"]["pool"], active, {.keep_rest = true}) : active;
  const Value shortcut = projects ? conv2d(place, pooled, weight, projection) : x;
  return (block.row.block == BlockKind::basic ? basic_branch(s, active, block) : bottleneck_branch(s, active, block)) + shortcut;
}

Value stem_convolutions(Scope s, Value x, const Row& row) {
  const int64_t out = 64 * row.widening;
  if (!row.changes.deep_stem) return s["conv"].tap(conv2d(s["conv"], x, as_in(row, {.out = out, .kernel = 7, .stride = 2})));
  x = conv2d(s["conv1"], x, as_in(row, {.out = out / 2, .kernel = 3, .stride = 2}));
  x = conv2d(s["conv2"], norm_relu(s["norm1"], x, row), as_in(row, {.out = out / 2, .kernel = 3}));
  return s["conv3"].tap(conv2d(s["conv3"], norm_relu(s["norm2"], x, row), as_in(row, {.out = out, .kernel = 3})));
}

// BiT's zeros around its max-pool take part in the maximum, unlike a max-pool's own padding.
Value stem_pool(Scope s, Value x, const Row& row) {
  if (!row.changes.standardized) return max_pool2d(s["pool"], x, {.kernel = 3, .stride = 2, .padding = 1});
  for (const int64_t axis : {2, 3}) x = s["pad"].emit(Pad{axis, 1, 1}, {x});
  return max_pool2d(s["pool"], x, {.kernel = 3, .stride = 2});
}

Features preact_resnet(const Row& row, Scope s, Value x) {
  const Scope stem = s["stem"];
  x = stem.tap(stem_pool(stem, stem_convolutions(stem, x, row), row));
  for (size_t i = 0; i < row.blocks.size(); ++i) {
    const Scope stage = s["stages"][static_cast<int64_t>(i)];
    const int64_t width = (int64_t{64} << i) * row.widening, out = row.block == BlockKind::basic ? width : 4 * width;
    for (int64_t b = 0; b < row.blocks[i]; ++b) x = residual_block(stage["blocks"][b], x, {row, out, i > 0 && b == 0 ? 2 : 1});
    stage.tap(x);
  }
  return features_of(s["norm"].tap(norm_relu(s["norm"], x, row)));
}

constexpr Changes kD{.deep_stem = true, .pooled_shortcut = true}, kBit{.norm = Norm::group, .standardized = true};

constexpr Row kRows[] = {
    {"resnetv2_18", BlockKind::basic, {2, 2, 2, 2}},
    {"resnetv2_18d", BlockKind::basic, {2, 2, 2, 2}, kD},
    {"resnetv2_34", BlockKind::basic, {3, 4, 6, 3}},
    {"resnetv2_34d", BlockKind::basic, {3, 4, 6, 3}, kD},
    {"resnetv2_50", BlockKind::bottleneck, {3, 4, 6, 3}},
    {"resnetv2_101", BlockKind::bottleneck, {3, 4, 23, 3}},
    {"resnetv2_152", BlockKind::bottleneck, {3, 8, 36, 3}},
    {"resnetv2_50d_gn", BlockKind::bottleneck, {3, 4, 6, 3}, {.norm = Norm::group, .deep_stem = true, .pooled_shortcut = true}},
    {"resnetv2_50x1_bit", BlockKind::bottleneck, {3, 4, 6, 3}, kBit},
    {"resnetv2_50x3_bit", BlockKind::bottleneck, {3, 4, 6, 3}, kBit, 3, 448},
    {"resnetv2_101x1_bit", BlockKind::bottleneck, {3, 4, 23, 3}, kBit, 1, 448},
    {"resnetv2_101x3_bit", BlockKind::bottleneck, {3, 4, 23, 3}, kBit, 3, 448},
    {"resnetv2_152x2_bit", BlockKind::bottleneck, {3, 8, 36, 3}, kBit, 2},
    {"resnetv2_152x4_bit", BlockKind::bottleneck, {3, 8, 36, 3}, kBit, 4, 480},
};

Init head_weight_init(int64_t, int64_t) { return normal_init(0.01); }
Init head_bias_init(int64_t, int64_t) { return constant_init(0); }

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  for (const Row& row : kRows) {
    Variant variant;
    variant.name = row.name;
    variant.family = "preact_resnet";
    variant.layout = "timm";
    variant.feature_width = (row.block == BlockKind::basic ? 512 : 2048) * row.widening;
    variant.input_size = row.input_size;
    variant.head = "head.fc";
    variant.head_convolution = true;
    variant.body = [&row](Scope s, Value image, Size2) { return preact_resnet(row, s, image); };
    variant.head_weight_init = head_weight_init;
    variant.head_bias_init = head_bias_init;
    variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace fovea::models::preact_resnet
