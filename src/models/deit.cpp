// DeiT (Touvron et al. 2020, arXiv:2012.12877): the networks of ViT, trained on ImageNet alone; and DeiT III (Touvron et al. 2022,
// arXiv:2204.07118).
#include "models/families.h"
#include "models/vision_transformer.h"

namespace fovea::models::deit {
namespace {

using namespace vit_sizes;

constexpr VitKind kDeit{};
constexpr VitRow kDeitRows[] = {
    {"deit_tiny_patch16_224", kTiny, 16},
    {"deit_small_patch16_224", kSmall, 16},
    {"deit_base_patch16_224", kBase, 16},
    {"deit_base_patch16_384", kBase, 16, 384},
};

constexpr VitKind kDistilled{.distilled = true};
constexpr VitRow kDistilledRows[] = {
    {"deit_tiny_distilled_patch16_224", kTiny, 16},
    {"deit_small_distilled_patch16_224", kSmall, 16},
    {"deit_base_distilled_patch16_224", kBase, 16},
    {"deit_base_distilled_patch16_384", kBase, 16, 384},
};

constexpr VitKind kDeit3{.only_places_embedded = true, .layer_scale = 1e-6};
constexpr VitRow kDeit3Rows[] = {
    {"deit3_small_patch16_224", kSmall, 16},      {"deit3_small_patch16_384", kSmall, 16, 384}, {"deit3_medium_patch16_224", kMedium, 16},
    {"deit3_base_patch16_224", kBase, 16},        {"deit3_base_patch16_384", kBase, 16, 384},   {"deit3_large_patch16_224", kLarge, 16},
    {"deit3_large_patch16_384", kLarge, 16, 384}, {"deit3_huge_patch14_224", kHuge, 14},
};

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  add_vits(variants, kDeit, kDeitRows);
  add_vits(variants, kDistilled, kDistilledRows);
  add_vits(variants, kDeit3, kDeit3Rows);
  return variants;
}

}  // namespace fovea::models::deit
