// ResNet: He et al. 2015, arXiv:1512.03385, figure 5 and table 1. The stride sits on the 3x3 ("v1.5"), as in torchvision's weights, whose
// names these are; timm's has the same. ResNeXt (Xie et al. 2016, arXiv:1611.05431, figure 3c) groups the 3x3, wide ResNet (Zagoruyko and
// Komodakis 2016, arXiv:1605.07146) widens it. What came later are fields of a row: He et al. 2018, arXiv:1812.01187, figure 2 (c and d:
// stem and shortcut), SE (Hu et al. 2018, arXiv:1709.01507), ECA (Wang et al. 2020, arXiv:1910.03151), blurred strides (Zhang 2019,
// arXiv:1904.11486), ResNet-RS (Bello et al. 2021, arXiv:2103.07579).
#include <array>
#include <cmath>
#include <span>

#include "models/families.h"
#include "models/pruned_channels.h"
#include "nn/blocks.h"

namespace fovea::models::resnet {
namespace {

enum class BlockKind { basic, bottleneck };
// conv7: one 7x7. Deep: three 3x3 of half the channels, and the whole; the first of a tiered one has three quarters of the half.
enum class Stem { conv7, deep, tiered };
enum class AntiAlias { none, average, blur };
enum class Attention { none, squeeze_excite, efficient };
enum class Norm { batch, group };

// What a variant does otherwise than the paper's network.
struct Changes {
  Stem stem = Stem::conv7;
  int64_t stem_channels = 64;
  bool stem_convolution = false;  // of stride 2, in place of the max-pool
  bool pooled_shortcut = false;   // means of 2x2 before the projection, which then has no stride
  int64_t shortcut_kernel = 1;    // of the projections of stride 2
  Attention attention = Attention::none;
  double squeeze = 1.0 / 16;  // of a block's channels
  AntiAlias anti_alias = AntiAlias::none;
  Norm norm = Norm::batch;
  int64_t first_reduction = 1;  // of the channels of a bottleneck's first convolution
  std::array<int64_t, 4> widths{64, 128, 256, 512};
  int64_t bottleneck_layer = -1;  // the one layer that has bottlenecks in a network of basic blocks
};

struct Row {
  const char* name;
  BlockKind block;
  std::array<int64_t, 4> blocks;  // a layer
  int64_t groups = 1;
  int64_t width_per_group = 64;  // of the 3x3 in layer1's bottlenecks
  Changes changes = {};
  int64_t input_size = 224;
  std::span<const int16_t> pruned = {};  // output channels of the bottlenecks' convolutions, one after the other
};

struct Block {
  const Row& row;
  BlockKind kind;
  int64_t width;  // of the layer: 64, 128, 256, 512
  int64_t stride;
  double last_norm_weight;  // before training
  size_t index;             // in the network
};

// Channels of a bottleneck's three convolutions.
std::array<int64_t, 3> bottleneck_channels(const Block& block) {
  const Row& row = block.row;
  if (const size_t place = 3 * block.index; !row.pruned.empty()) return {row.pruned[place], row.pruned[place + 1], row.pruned[place + 2]};
  const int64_t inner = block.width * row.width_per_group / 64 * row.groups;
  return {inner / row.changes.first_reduction, inner, 4 * block.width};
}

int64_t expansion(BlockKind kind) { return kind == BlockKind::basic ? 1 : 4; }

Value norm(Scope s, Value x, const Row& row, double first_weight = 1) {
  if (row.changes.norm == Norm::group) return group_norm(s, x, {.first_weight = first_weight});
  return batch_norm(s, x, {.first_weight = first_weight});
}

// The stride of a convolution before it, taken on by itself.
Value anti_alias(Scope s, Value x, AntiAlias kind, int64_t stride) {
  if (stride == 1) return x;
  if (kind == AntiAlias::average) return average_pool2d(s, x);
  return kind == AntiAlias::blur ? blur_pool2d(s, x, {.stride = stride}) : x;
}
int64_t convolution_stride(const Block& block) { return block.row.changes.anti_alias == AntiAlias::none ? block.stride : 1; }

Value attention(Scope s, Value x, const Block& block) {
  const Changes& changes = block.row.changes;
  if (changes.attention == Attention::none) return x;
  // The kernel goes by the channels before pruning.
  if (changes.attention == Attention::efficient) return efficient_channel_attention(s["conv"], x, block.width * expansion(block.kind));
  const int64_t squeezed = scaled_channels(static_cast<double>(x.channels()), changes.squeeze, 0);
  return squeeze_excite(s["fc1"], s["fc2"], x, {.squeezed = squeezed, .uniform_biases = true});
}

// Figure 5, left.
Value basic_branch(Scope s, Value x, const Block& block) {
  const Row& row = block.row;
  x = conv2d(s["conv1"], x, {.out = block.width, .kernel = 3, .stride = convolution_stride(block), .padding = 1});
  x = anti_alias(s["aa"], relu(norm(s["bn1"], x, row)), row.changes.anti_alias, block.stride);
  x = conv2d(s["conv2"], x, {.out = block.width, .kernel = 3, .padding = 1});
  return attention(s["se"], norm(s["bn2"], x, row, block.last_norm_weight), block);
}

// Figure 5, right.
Value bottleneck_branch(Scope s, Value x, const Block& block) {
  const Row& row = block.row;
  const auto [first, inner, out] = bottleneck_channels(block);
  x = relu(norm(s["bn1"], conv2d(s["conv1"], x, {.out = first}), row));
  x = conv2d(s["conv2"], x, {.out = inner, .kernel = 3, .stride = convolution_stride(block), .padding = 1, .groups = row.groups});
  x = anti_alias(s["aa"], relu(norm(s["bn2"], x, row)), row.changes.anti_alias, block.stride);
  x = norm(s["bn3"], conv2d(s["conv3"], x, {.out = out}), row, block.last_norm_weight);
  return attention(s["se"], x, block);
}

// Where the shapes differ the shortcut is a projection (option B of section 3.3).
Value projection(Scope s, Value x, int64_t out, const Block& block) {
  const Changes& changes = block.row.changes;
  int64_t place = 0, stride = block.stride;
  if (changes.pooled_shortcut) {
    if (stride != 1) x = average_pool2d(s[place], x, {.keep_rest = true});
    ++place;
    stride = 1;
  }
  const int64_t kernel = stride == 1 ? 1 : changes.shortcut_kernel;
  x = conv2d(s[place], x, {.out = out, .kernel = kernel, .stride = stride, .padding = (kernel - 1) / 2});
  return norm(s[place + 1], x, block.row);
}

Value residual_block(Scope s, Value x, const Block& block) {
  const Value branch = block.kind == BlockKind::basic ? basic_branch(s, x, block) : bottleneck_branch(s, x, block);
  if (block.stride != 1 || x.channels() != branch.channels()) x = projection(s["downsample"], x, branch.channels(), block);
  return relu(branch + x);
}

// What timm does otherwise than torchvision: its blocks start as identities, and its first activation has another name.
struct Library {
  const char* name;
  double last_norm_weight;
  const char* first_activation;
};
constexpr Library kTorchvision{"torchvision", 1, "relu"}, kTimm{"timm", 0, "act1"};

Value stem_convolutions(Scope s, Value x, const Row& row) {
  const int64_t out = row.changes.stem_channels, half = out / 2;
  if (row.changes.stem == Stem::conv7) return conv2d(s, x, {.out = out, .kernel = 7, .stride = 2, .padding = 3});
  const int64_t first = row.changes.stem == Stem::tiered ? half / 4 * 3 : half;
  x = relu(norm(s[1], conv2d(s[0], x, {.out = first, .kernel = 3, .stride = 2, .padding = 1}), row));
  x = relu(norm(s[4], conv2d(s[3], x, {.out = half, .kernel = 3, .padding = 1}), row));
  return conv2d(s[6], x, {.out = out, .kernel = 3, .padding = 1});
}

Value stem_pool(Scope s, Value x, const Row& row) {
  if (row.changes.stem_convolution)
    return relu(norm(s[1], conv2d(s[0], x, {.out = x.channels(), .kernel = 3, .stride = 2, .padding = 1}), row));
  switch (row.changes.anti_alias) {
    case AntiAlias::none:
      return max_pool2d(s, x, {.kernel = 3, .stride = 2, .padding = 1});
    case AntiAlias::average:
      return average_pool2d(s, x);
    case AntiAlias::blur:
      return blur_pool2d(s[1], max_pool2d(s[0], x, {.kernel = 3, .stride = 1, .padding = 1}));
  }
  return x;
}

BlockKind kind_of(const Row& row, size_t layer) {
  return static_cast<int64_t>(layer) == row.changes.bottleneck_layer ? BlockKind::bottleneck : row.block;
}

// Table 1, to the last feature map.
Features resnet(const Row& row, const Library& library, Scope s, Value x) {
  x = norm(s["bn1"], stem_convolutions(s["conv1"], x, row), row);
  x = s[library.first_activation].tap(relu(x));
  x = s["maxpool"].tap(stem_pool(s["maxpool"], x, row));
  size_t index = 0;
  for (size_t l = 0; l < row.blocks.size(); ++l) {
    const Scope layer = s["layer" + std::to_string(l + 1)];
    for (int64_t b = 0; b < row.blocks[l]; ++b) {
      const int64_t stride = l > 0 && b == 0 ? 2 : 1;
      x = residual_block(layer[b], x, {row, kind_of(row, l), row.changes.widths[l], stride, library.last_norm_weight, index++});
    }
    layer.tap(x);
  }
  return features_of(x);
}

// Those of torchvision, which timm has too.
constexpr Row kRows[] = {
    {"resnet18", BlockKind::basic, {2, 2, 2, 2}},
    {"resnet34", BlockKind::basic, {3, 4, 6, 3}},
    {"resnet50", BlockKind::bottleneck, {3, 4, 6, 3}},
    {"resnet101", BlockKind::bottleneck, {3, 4, 23, 3}},
    {"resnet152", BlockKind::bottleneck, {3, 8, 36, 3}},
    {"resnext50_32x4d", BlockKind::bottleneck, {3, 4, 6, 3}, 32, 4},
    {"resnext101_32x8d", BlockKind::bottleneck, {3, 4, 23, 3}, 32, 8},
    {"resnext101_64x4d", BlockKind::bottleneck, {3, 4, 23, 3}, 64, 4},
    {"wide_resnet50_2", BlockKind::bottleneck, {3, 4, 6, 3}, 1, 128},
    {"wide_resnet101_2", BlockKind::bottleneck, {3, 4, 23, 3}, 1, 128},
};

constexpr auto se = Attention::squeeze_excite;
constexpr auto eca = Attention::efficient;
// The letters of He et al. 2018, and of those who went on with them.
constexpr Changes kC{.stem = Stem::deep}, kS{.stem = Stem::deep, .stem_channels = 128}, kD{.stem = Stem::deep, .pooled_shortcut = true},
    kT{.stem = Stem::tiered, .pooled_shortcut = true};
constexpr Changes kSe{.attention = se}, kSeD{.stem = Stem::deep, .pooled_shortcut = true, .attention = se},
    kSeT{.stem = Stem::tiered, .pooled_shortcut = true, .attention = se};
constexpr Changes kEca{.pooled_shortcut = true, .attention = eca}, kEcaD{.stem = Stem::deep, .pooled_shortcut = true, .attention = eca},
    kEcaT{.stem = Stem::tiered, .pooled_shortcut = true, .attention = eca};
constexpr Changes kAa{.anti_alias = AntiAlias::average},
    kAaD{.stem = Stem::deep, .pooled_shortcut = true, .anti_alias = AntiAlias::average};
constexpr Changes se_aa_d(int64_t stem_channels) {
  return {.stem = Stem::deep, .stem_channels = stem_channels, .pooled_shortcut = true, .attention = se, .anti_alias = AntiAlias::average};
}
constexpr Changes kBlur{.anti_alias = AntiAlias::blur}, kGroupNorm{.norm = Norm::group};
constexpr Changes kRs{.stem = Stem::deep, .stem_convolution = true, .pooled_shortcut = true, .attention = se, .squeeze = 0.25};
constexpr Changes kSeNet{.stem = Stem::deep, .stem_channels = 128, .shortcut_kernel = 3, .attention = se, .first_reduction = 2};
constexpr Changes kTest{
    .stem = Stem::deep, .stem_channels = 32, .pooled_shortcut = true, .widths = {32, 48, 48, 96}, .bottleneck_layer = 2};

constexpr BlockKind basic = BlockKind::basic, bottleneck = BlockKind::bottleneck;

// Those of timm alone, whose defaults the sizes are.
constexpr Row kTimmRows[] = {
    {"test_resnet", basic, {1, 1, 1, 1}, 1, 64, kTest, 160},
    {"resnet10t", basic, {1, 1, 1, 1}, 1, 64, kT, 176},
    {"resnet14t", bottleneck, {1, 1, 1, 1}, 1, 64, kT, 176},
    {"resnet18d", basic, {2, 2, 2, 2}, 1, 64, kD},
    {"resnet26", bottleneck, {2, 2, 2, 2}},
    {"resnet26d", bottleneck, {2, 2, 2, 2}, 1, 64, kD},
    {"resnet26t", bottleneck, {2, 2, 2, 2}, 1, 64, kT, 256},
    {"resnet34d", basic, {3, 4, 6, 3}, 1, 64, kD},
    {"resnet50c", bottleneck, {3, 4, 6, 3}, 1, 64, kC},
    {"resnet50d", bottleneck, {3, 4, 6, 3}, 1, 64, kD},
    {"resnet50s", bottleneck, {3, 4, 6, 3}, 1, 64, kS},
    {"resnet50_gn", bottleneck, {3, 4, 6, 3}, 1, 64, kGroupNorm},
    {"resnet101c", bottleneck, {3, 4, 23, 3}, 1, 64, kC},
    {"resnet101d", bottleneck, {3, 4, 23, 3}, 1, 64, kD, 256},
    {"resnet101s", bottleneck, {3, 4, 23, 3}, 1, 64, kS},
    {"resnet152c", bottleneck, {3, 8, 36, 3}, 1, 64, kC},
    {"resnet152d", bottleneck, {3, 8, 36, 3}, 1, 64, kD, 256},
    {"resnet152s", bottleneck, {3, 8, 36, 3}, 1, 64, kS},
    {"resnet200d", bottleneck, {3, 24, 36, 3}, 1, 64, kD, 256},
    {"resnext50d_32x4d", bottleneck, {3, 4, 6, 3}, 32, 4, kD},
    {"resnext101_32x4d", bottleneck, {3, 4, 23, 3}, 32, 4},
    {"resnext101_32x16d", bottleneck, {3, 4, 23, 3}, 32, 16},
    {"resnext101_32x32d", bottleneck, {3, 4, 23, 3}, 32, 32},
    {"seresnet50", bottleneck, {3, 4, 6, 3}, 1, 64, kSe},
    {"seresnet152d", bottleneck, {3, 8, 36, 3}, 1, 64, kSeD, 256},
    {"seresnext26d_32x4d", bottleneck, {2, 2, 2, 2}, 32, 4, kSeD},
    {"seresnext26t_32x4d", bottleneck, {2, 2, 2, 2}, 32, 4, kSeT},
    {"seresnext50_32x4d", bottleneck, {3, 4, 6, 3}, 32, 4, kSe},
    {"seresnext101_32x4d", bottleneck, {3, 4, 23, 3}, 32, 4, kSe},
    {"seresnext101_32x8d", bottleneck, {3, 4, 23, 3}, 32, 8, kSe},
    {"seresnext101_64x4d", bottleneck, {3, 4, 23, 3}, 64, 4, kSe},
    {"seresnext101d_32x8d", bottleneck, {3, 4, 23, 3}, 32, 8, kSeD},
    {"seresnextaa101d_32x8d", bottleneck, {3, 4, 23, 3}, 32, 8, se_aa_d(64), 288},
    {"seresnextaa201d_32x8d", bottleneck, {3, 24, 36, 4}, 32, 8, se_aa_d(128), 384},
    {"senet154", bottleneck, {3, 8, 36, 3}, 64, 4, kSeNet},
    {"ecaresnet26t", bottleneck, {2, 2, 2, 2}, 1, 64, kEcaT, 256},
    {"ecaresnet50d", bottleneck, {3, 4, 6, 3}, 1, 64, kEcaD},
    {"ecaresnet50d_pruned", bottleneck, {3, 4, 6, 3}, 1, 64, kEcaD, 224, pruned::kEcaresnet50d},
    {"ecaresnet50t", bottleneck, {3, 4, 6, 3}, 1, 64, kEcaT, 256},
    {"ecaresnet101d", bottleneck, {3, 4, 23, 3}, 1, 64, kEcaD},
    {"ecaresnet101d_pruned", bottleneck, {3, 4, 23, 3}, 1, 64, kEcaD, 224, pruned::kEcaresnet101d},
    {"ecaresnet269d", bottleneck, {3, 30, 48, 8}, 1, 64, kEcaD, 320},
    {"ecaresnetlight", bottleneck, {1, 1, 11, 3}, 1, 64, kEca},
    {"resnetaa50", bottleneck, {3, 4, 6, 3}, 1, 64, kAa},
    {"resnetaa50d", bottleneck, {3, 4, 6, 3}, 1, 64, kAaD},
    {"resnetaa101d", bottleneck, {3, 4, 23, 3}, 1, 64, kAaD},
    {"resnetblur50", bottleneck, {3, 4, 6, 3}, 1, 64, kBlur},
    {"resnetrs50", bottleneck, {3, 4, 6, 3}, 1, 64, kRs, 160},
    {"resnetrs101", bottleneck, {3, 4, 23, 3}, 1, 64, kRs, 192},
    {"resnetrs152", bottleneck, {3, 8, 36, 3}, 1, 64, kRs, 256},
    {"resnetrs200", bottleneck, {3, 24, 36, 3}, 1, 64, kRs, 256},
    {"resnetrs270", bottleneck, {4, 29, 53, 4}, 1, 64, kRs, 256},
    {"resnetrs350", bottleneck, {4, 36, 72, 4}, 1, 64, kRs, 288},
    {"resnetrs420", bottleneck, {4, 44, 87, 4}, 1, 64, kRs, 320},
};

// torch.nn.Linear's own, which both libraries leave as it is: kaiming_uniform of a = sqrt(5) comes to 1 / sqrt(inputs).
Init head_init(int64_t inputs, int64_t) { return uniform_init(1 / std::sqrt(static_cast<double>(inputs))); }

Variant variant(std::string name, const Row& row, const Library& library) {
  Variant variant;
  variant.name = std::move(name);
  variant.family = "resnet";
  variant.layout = library.name;
  variant.feature_width = row.changes.widths.back() * expansion(kind_of(row, row.blocks.size() - 1));
  if (!row.pruned.empty()) variant.feature_width = row.pruned.back();
  variant.input_size = row.input_size;
  // Means of 2x2 leave out a last row that the shortcut keeps.
  if (row.changes.anti_alias == AntiAlias::average) variant.least_size = variant.size_multiple = 32;
  if (row.changes.anti_alias == AntiAlias::blur) variant.least_size = 17;  // two rows before the last halving, one to reflect
  variant.head = "fc";
  variant.body = [&row, &library](Scope s, Value image, Size2) { return resnet(row, library, s, image); };
  variant.head_weight_init = head_init;
  variant.head_bias_init = head_init;
  return variant;
}

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  for (const Row& row : kRows) {
    variants.push_back(variant(row.name, row, kTorchvision));
    variants.push_back(variant(std::string("timm/") + row.name, row, kTimm));
  }
  for (const Row& row : kTimmRows) variants.push_back(variant(row.name, row, kTimm));
  return variants;
}

}  // namespace fovea::models::resnet
