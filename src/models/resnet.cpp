// ResNet: He et al. 2015, arXiv:1512.03385, figure 5 and table 1. The stride sits on the 3x3 ("v1.5"), as in torchvision's weights, whose
// names these are; timm's has the same. ResNeXt (Xie et al. 2016, arXiv:1611.05431, figure 3c) groups the 3x3, wide ResNet (Zagoruyko and
// Komodakis 2016, arXiv:1605.07146) widens it.
#include <array>
#include <cmath>

#include "models/families.h"
#include "nn/layers.h"

namespace fovea::models::resnet {
namespace {

enum class BlockKind { basic, bottleneck };

struct Row {
  const char* name;
  BlockKind block;
  std::array<int64_t, 4> blocks;  // a layer
  int64_t groups = 1;
  int64_t width_per_group = 64;  // of the 3x3 in layer1's bottlenecks
};

struct Block {
  BlockKind kind;
  int64_t width;  // of the layer: 64, 128, 256, 512
  int64_t inner;  // of a bottleneck's 3x3
  int64_t stride;
  int64_t groups;
  double last_norm_weight;  // before training
};

int64_t expansion(BlockKind kind) { return kind == BlockKind::basic ? 1 : 4; }

// Figure 5, left.
Value basic_branch(Scope s, Value x, const Block& block) {
  x = relu(batch_norm(s["bn1"], conv2d(s["conv1"], x, {.out = block.width, .kernel = 3, .stride = block.stride, .padding = 1})));
  x = conv2d(s["conv2"], x, {.out = block.width, .kernel = 3, .padding = 1});
  return batch_norm(s["bn2"], x, {.first_weight = block.last_norm_weight});
}

// Figure 5, right.
Value bottleneck_branch(Scope s, Value x, const Block& block) {
  x = relu(batch_norm(s["bn1"], conv2d(s["conv1"], x, {.out = block.inner})));
  x = conv2d(s["conv2"], x, {.out = block.inner, .kernel = 3, .stride = block.stride, .padding = 1, .groups = block.groups});
  x = relu(batch_norm(s["bn2"], x));
  return batch_norm(s["bn3"], conv2d(s["conv3"], x, {.out = 4 * block.width}), {.first_weight = block.last_norm_weight});
}

// Where the shapes differ the shortcut is a projection (option B of section 3.3).
Value projection(Scope s, Value x, int64_t out, int64_t stride) {
  return batch_norm(s[1], conv2d(s[0], x, {.out = out, .stride = stride}));
}

Value residual_block(Scope s, Value x, const Block& block) {
  const Value branch = block.kind == BlockKind::basic ? basic_branch(s, x, block) : bottleneck_branch(s, x, block);
  if (block.stride != 1 || x.channels() != branch.channels()) x = projection(s["downsample"], x, branch.channels(), block.stride);
  return relu(branch + x);
}

// What timm does otherwise than torchvision: its blocks start as identities, and its first activation has another name.
struct Library {
  const char* name;
  double last_norm_weight;
  const char* first_activation;
};
constexpr Library kTorchvision{"torchvision", 1, "relu"}, kTimm{"timm", 0, "act1"};

// Table 1, to the last feature map.
Features resnet(const Row& row, const Library& library, Scope s, Value x) {
  x = batch_norm(s["bn1"], conv2d(s["conv1"], x, {.out = 64, .kernel = 7, .stride = 2, .padding = 3}));
  x = s[library.first_activation].tap(relu(x));
  x = s["maxpool"].tap(max_pool2d(s["maxpool"], x, {.kernel = 3, .stride = 2, .padding = 1}));
  for (size_t l = 0; l < row.blocks.size(); ++l) {
    const Scope layer = s["layer" + std::to_string(l + 1)];
    const int64_t width = int64_t{64} << l;
    for (int64_t b = 0; b < row.blocks[l]; ++b) {
      const int64_t stride = l > 0 && b == 0 ? 2 : 1;
      const int64_t inner = width * row.width_per_group / 64 * row.groups;
      x = residual_block(layer[b], x, {row.block, width, inner, stride, row.groups, library.last_norm_weight});
    }
    layer.tap(x);
  }
  return features_of(x);
}

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

// torch.nn.Linear's own, which both libraries leave as it is: kaiming_uniform of a = sqrt(5) comes to 1 / sqrt(inputs).
Init head_init(int64_t inputs, int64_t) { return uniform_init(1 / std::sqrt(static_cast<double>(inputs))); }

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  for (const Row& row : kRows) {
    for (const Library* library : {&kTorchvision, &kTimm}) {
      Variant variant;
      variant.name = std::string(library == &kTimm ? "timm/" : "") + row.name;
      variant.family = "resnet";
      variant.layout = library->name;
      variant.feature_width = 512 * expansion(row.block);
      variant.head = "fc";
      variant.body = [&row, library](Scope s, Value image, Size2) { return resnet(row, *library, s, image); };
      variant.head_weight_init = head_init;
      variant.head_bias_init = head_init;
      variants.push_back(std::move(variant));
    }
  }
  return variants;
}

}  // namespace fovea::models::resnet
