// What a row of a vision transformer's table may say. The tables stand with their papers: vit, vit_registers, deit, dinov2, clip, siglip,
// beit3, aimv2.
#pragma once

#include <span>

#include "models/registry.h"
#include "ops/activation_kind.h"

namespace fovea::models {

enum class VitBlock {
  sequential,           // attention, then the MLP, each on what a norm makes of the sum so far
  norm_last,            // each branch is normalized after its layers instead
  twice,                // two attentions side by side, then two MLPs (Touvron et al. 2022, arXiv:2203.09795)
  parallel,             // attention and MLP side by side, of one projection (Dehghani et al. 2023, arXiv:2302.05442)
  parallel_one_output,  // the same, with one projection at the end too
};
enum class VitMlp {
  plain,
  gated,         // act(x W) (x V) (Shazeer 2020, arXiv:2002.05202), the two weights stored as one
  gated_in_two,  // the same, stored as two
};
enum class VitNorm { layer, root_mean_square };
enum class VitPooling {
  class_token,
  mean,       // of the places
  attention,  // of a learned query to the places (Zhai et al. 2021, arXiv:2106.04560, section 3.2)
};
enum class VitLastNorm { before_pooling, after_pooling, none };

// What the networks of one recipe have in common.
struct VitKind {
  bool class_token = true;
  int64_t registers = 0;              // further tokens that belong to no place (Darcet et al. 2023, arXiv:2309.16588)
  bool distilled = false;             // a second token that belongs to no place, and a head that reads it (Touvron et al. 2020, section 4)
  bool only_places_embedded = false;  // the position table has no rows for tokens that belong to no place
  bool norm_first = false;            // a norm before the first block; the patches' convolution has no bias then
  VitBlock block = VitBlock::sequential;
  bool differential = false;  // attention is the difference of two (Ye et al. 2024, arXiv:2410.05258)
  bool qkv_bias = true;
  bool bias = true;           // of the blocks' other linear layers
  bool qk_norm = false;       // queries and keys are normalized, head by head
  bool inner_norms = false;   // a norm before the last layer of attention and MLP
  bool norm_patches = false;  // a norm of the patches, before positions are added
  double layer_scale = 0;     // its first value; 0: there is none
  VitNorm norm = VitNorm::layer;
  VitMlp mlp = VitMlp::plain;
  ActivationKind activation = ActivationKind::gelu;
  double eps = 1e-6;
  VitPooling pooling = VitPooling::class_token;
  bool pool_all_tokens = false;  // an attention pool sees those that belong to no place too
  VitLastNorm last_norm = VitLastNorm::before_pooling;
};

struct VitSize {
  int64_t width, depth, heads, hidden;  // hidden: of the MLP, both halves of a gated one
};
namespace vit_sizes {
constexpr VitSize kTiny{192, 12, 3, 768}, kSmall{384, 12, 6, 1536}, kBase{768, 12, 12, 3072}, kLarge{1024, 24, 16, 4096},
    kHuge{1280, 32, 16, 5120}, kGiant{1408, 40, 16, 6144}, kGigantic{1664, 48, 16, 8192}, kMedium{512, 12, 8, 2048},
    kBetwixt{640, 12, 10, 2560}, kPlus{896, 12, 14, 3584}, kSo400m{1152, 27, 16, 4304};
}

struct VitRow {
  const char* name;
  VitSize size;
  int64_t patch;
  int64_t input_size = 224;
  int64_t classes = 1000;
};

// Appends the variants of a table that lives as long as the program, in the layout of timm's weights.
void add_vits(std::vector<Variant>& to, const VitKind& kind, std::span<const VitRow> rows);
// The same in torchvision's, which has one kind.
void add_torchvision_vits(std::vector<Variant>& to, std::span<const VitRow> rows);

}  // namespace fovea::models
