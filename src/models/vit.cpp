// ViT (Dosovitskiy et al. 2020, arXiv:2010.11929, table 1) in the layout of torchvision's weights and in that of timm's, with what was
// trained by other means: AugReg (Steiner et al. 2021, arXiv:2106.10270), DINO, MAE, MIIL, EVA, FlexiViT.
#include "models/families.h"
#include "models/vision_transformer.h"

namespace fovea::models::vit {
namespace {

using namespace vit_sizes;

constexpr VitRow kTorchvision[] = {
    {"vit_b_16", kBase, 16}, {"vit_b_32", kBase, 32}, {"vit_l_16", kLarge, 16}, {"vit_l_32", kLarge, 32}, {"vit_h_14", kHuge, 14, 518},
};

constexpr VitKind kVit{};
constexpr VitRow kVitRows[] = {
    {"vit_tiny_patch16_224", kTiny, 16},           {"vit_tiny_patch16_384", kTiny, 16, 384},    {"vit_small_patch8_224", kSmall, 8, 224, 0},
    {"vit_small_patch16_224", kSmall, 16},         {"vit_small_patch16_384", kSmall, 16, 384},  {"vit_small_patch32_224", kSmall, 32},
    {"vit_small_patch32_384", kSmall, 32, 384},    {"vit_base_patch8_224", kBase, 8},           {"vit_base_patch16_224", kBase, 16},
    {"vit_base_patch16_384", kBase, 16, 384},      {"vit_base_patch32_224", kBase, 32},         {"vit_base_patch32_384", kBase, 32, 384},
    {"vit_large_patch14_224", kLarge, 14},         {"vit_large_patch16_224", kLarge, 16},       {"vit_large_patch16_384", kLarge, 16, 384},
    {"vit_large_patch32_224", kLarge, 32, 224, 0}, {"vit_large_patch32_384", kLarge, 32, 384},  {"vit_huge_patch14_224", kHuge, 14, 224, 0},
    {"vit_giant_patch14_224", kGiant, 14},         {"vit_gigantic_patch14_224", kGigantic, 14},
};

constexpr VitKind kScaled{.layer_scale = 1e-5};
constexpr VitRow kScaledRows[] = {
    {"vit_small_patch16_36x1_224", {384, 36, 6, 1536}, 16},
    {"vit_base_patch16_plus_240", kPlus, 16, 240},
    {"vit_base_patch32_plus_256", kPlus, 32, 256},
};

constexpr VitKind kNoQkvBias{.qkv_bias = false};
constexpr VitRow kMiilRows[] = {
    {"vit_base_patch16_224_miil", kBase, 16, 224, 11221},
};

// MAE (He et al. 2021, arXiv:2111.06377) as others went on from it, without a class token.
constexpr VitKind kMean{.class_token = false, .pooling = VitPooling::mean};
constexpr VitRow kMeanRows[] = {
    {"vit_base_patch16_gap_224", {768, 12, 16, 3072}, 16},
    {"vit_huge_patch14_gap_224", kHuge, 14, 224, 0},
    {"vit_huge_patch16_gap_448", kHuge, 16, 448, 0},
    {"vit_giant_patch16_gap_224", kGiant, 16, 224, 0},
};

// EVA (Fang et al. 2022, arXiv:2211.07636).
constexpr VitKind kEva{.pooling = VitPooling::mean, .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kEvaRows[] = {
    {"eva_large_patch14_196", kLarge, 14, 196},
    {"eva_large_patch14_336", kLarge, 14, 336},
};

// FlexiViT (Beyer et al. 2022, arXiv:2212.08013).
constexpr VitKind kFlexi{.only_places_embedded = true};
constexpr VitRow kFlexiRows[] = {
    {"flexivit_small", kSmall, 16, 240},
    {"flexivit_base", kBase, 16, 240},
    {"flexivit_large", kLarge, 16, 240},
};

constexpr VitKind kTwice{.block = VitBlock::twice, .layer_scale = 1e-5};
constexpr VitRow kTwiceRows[] = {
    {"vit_small_patch16_18x2_224", {384, 18, 6, 1536}, 16},
    {"vit_base_patch16_18x2_224", {768, 18, 12, 3072}, 16},
};

constexpr VitKind kNormLast{.class_token = false,
                            .block = VitBlock::norm_last,
                            .qkv_bias = false,
                            .layer_scale = 1e-5,
                            .pooling = VitPooling::mean,
                            .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kNormLastRows[] = {
    {"vit_base_patch16_rpn_224", kBase, 16},
};

constexpr VitKind kXp{.only_places_embedded = true,
                      .norm_first = true,
                      .block = VitBlock::parallel,
                      .qkv_bias = false,
                      .qk_norm = true,
                      .norm = VitNorm::root_mean_square};
constexpr VitRow kXpRows[] = {
    {"vit_base_patch16_xp_224", kBase, 16},
    {"vit_large_patch14_xp_224", kLarge, 14},
    {"vit_huge_patch14_xp_224", kHuge, 14},
};

// Small ones, for tests.
constexpr VitKind kTest{};
constexpr VitRow kTestRows[] = {
    {"test_vit", {64, 6, 2, 192}, 16, 160},
};

constexpr VitKind kTest2{
    .class_token = false, .registers = 1, .layer_scale = 1e-5, .pooling = VitPooling::mean, .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kTest2Rows[] = {
    {"test_vit2", {64, 8, 2, 192}, 16, 160},
};

constexpr VitKind kTest3{
    .class_token = false, .registers = 1, .layer_scale = 1e-5, .pooling = VitPooling::attention, .pool_all_tokens = true};
constexpr VitRow kTest3Rows[] = {
    {"test_vit3", {96, 9, 3, 192}, 16, 160},
};

constexpr VitKind kTest4{.class_token = false,
                         .registers = 1,
                         .layer_scale = 1e-5,
                         .norm = VitNorm::root_mean_square,
                         .pooling = VitPooling::mean,
                         .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kTest4Rows[] = {
    {"test_vit4", {96, 9, 3, 288}, 16, 160},
};

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  add_torchvision_vits(variants, kTorchvision);
  add_vits(variants, kVit, kVitRows);
  add_vits(variants, kScaled, kScaledRows);
  add_vits(variants, kNoQkvBias, kMiilRows);
  add_vits(variants, kMean, kMeanRows);
  add_vits(variants, kEva, kEvaRows);
  add_vits(variants, kFlexi, kFlexiRows);
  add_vits(variants, kTwice, kTwiceRows);
  add_vits(variants, kNormLast, kNormLastRows);
  add_vits(variants, kXp, kXpRows);
  add_vits(variants, kTest, kTestRows);
  add_vits(variants, kTest2, kTest2Rows);
  add_vits(variants, kTest3, kTest3Rows);
  add_vits(variants, kTest4, kTest4Rows);
  return variants;
}

}  // namespace fovea::models::vit
