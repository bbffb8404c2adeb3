// DINOv2 (Oquab et al. 2023, arXiv:2304.07193), the same with registers (Darcet et al. 2023, arXiv:2309.16588), and encoders that were
// trained on others' features: TIPS v2, RADIO (Ranzinger et al. 2023, arXiv:2312.06709) and InternViT (Chen et al. 2023, arXiv:2312.14238).
#include "models/families.h"
#include "models/vision_transformer.h"

namespace fovea::models::dinov2 {
namespace {

using namespace vit_sizes;

constexpr VitKind kDinov2{.layer_scale = 1e-5};
constexpr VitRow kDinov2Rows[] = {
    {"vit_small_patch14_dinov2", kSmall, 14, 518, 0},
    {"vit_base_patch14_dinov2", kBase, 14, 518, 0},
    {"vit_large_patch14_dinov2", kLarge, 14, 518, 0},
};

constexpr VitKind kGated{.layer_scale = 1e-5, .mlp = VitMlp::gated, .activation = ActivationKind::silu};
constexpr VitRow kGatedRows[] = {
    {"vit_giant_patch14_dinov2", {1536, 40, 24, 8192}, 14, 518, 0},
};

constexpr VitKind kRegisters{.registers = 4, .only_places_embedded = true, .layer_scale = 1e-5};
constexpr VitRow kRegisterRows[] = {
    {"vit_small_patch14_reg4_dinov2", kSmall, 14, 518, 0},
    {"vit_base_patch14_reg4_dinov2", kBase, 14, 518, 0},
    {"vit_large_patch14_reg4_dinov2", kLarge, 14, 518, 0},
};

constexpr VitKind kGatedRegisters{
    .registers = 4, .only_places_embedded = true, .layer_scale = 1e-5, .mlp = VitMlp::gated, .activation = ActivationKind::silu};
constexpr VitRow kGatedRegisterRows[] = {
    {"vit_giant_patch14_reg4_dinov2", {1536, 40, 24, 8192}, 14, 518, 0},
};

constexpr VitKind kTips{.registers = 1, .only_places_embedded = true, .layer_scale = 1};
constexpr VitRow kTipsRows[] = {
    {"vit_base_patch14_reg1_tipsv2", kBase, 14, 448, 0},
    {"vit_large_patch14_reg1_tipsv2", kLarge, 14, 448, 0},
    {"vit_so400m_patch14_reg1_tipsv2", kSo400m, 14, 448, 0},
};

constexpr VitKind kGatedTips{
    .registers = 1, .only_places_embedded = true, .layer_scale = 1, .mlp = VitMlp::gated, .activation = ActivationKind::silu};
constexpr VitRow kGatedTipsRows[] = {
    {"vit_giant_patch14_reg1_tipsv2", {1536, 40, 24, 8192}, 14, 448, 0},
};

constexpr VitKind kRadio{.registers = 7, .only_places_embedded = true, .last_norm = VitLastNorm::none};
constexpr VitRow kRadioRows[] = {
    {"vit_huge_patch16_radio_v3", kHuge, 16, 512, 0},
    {"vit_giant_patch16_radio_v3", {1536, 40, 24, 6144}, 16, 512, 0},
};

constexpr VitKind kScaledRadio{.registers = 7, .only_places_embedded = true, .layer_scale = 1e-5, .last_norm = VitLastNorm::none};
constexpr VitRow kScaledRadioRows[] = {
    {"vit_base_patch16_radio_v3", kBase, 16, 512, 0},
    {"vit_large_patch16_radio_v3", kLarge, 16, 512, 0},
};

constexpr VitKind kRadio4{.registers = 9, .only_places_embedded = true, .last_norm = VitLastNorm::none};
constexpr VitRow kRadio4Rows[] = {
    {"vit_so400m_patch16_radio_v4", kSo400m, 16, 512, 0},
    {"vit_huge_patch16_radio_v4", kHuge, 16, 512, 0},
};

constexpr VitKind kIntern{.layer_scale = 0.1, .last_norm = VitLastNorm::none};
constexpr VitRow kInternRows[] = {
    {"vit_intern300m_patch14_448", kLarge, 14, 448, 0},
};

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  add_vits(variants, kDinov2, kDinov2Rows);
  add_vits(variants, kGated, kGatedRows);
  add_vits(variants, kRegisters, kRegisterRows);
  add_vits(variants, kGatedRegisters, kGatedRegisterRows);
  add_vits(variants, kTips, kTipsRows);
  add_vits(variants, kGatedTips, kGatedTipsRows);
  add_vits(variants, kRadio, kRadioRows);
  add_vits(variants, kScaledRadio, kScaledRadioRows);
  add_vits(variants, kRadio4, kRadio4Rows);
  add_vits(variants, kIntern, kInternRows);
  return variants;
}

}  // namespace fovea::models::dinov2
