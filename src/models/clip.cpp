// The picture towers of CLIP (Radford et al. 2021, arXiv:2103.00020), OpenCLIP (Cherti et al. 2022, arXiv:2212.07143) and what followed;
// the head of those without 1000 classes projects into the space that pictures and texts share.
#include "models/families.h"
#include "models/vision_transformer.h"

namespace fovea::models::clip {
namespace {

using namespace vit_sizes;

constexpr VitKind kClip{.norm_first = true, .eps = 1e-5};
constexpr VitRow kClipRows[] = {
    {"vit_xsmall_patch16_clip_224", {256, 10, 4, 1024}, 16, 224, 512},
    {"vit_medium_patch16_clip_224", kMedium, 16, 224, 512},
    {"vit_medium_patch32_clip_224", kMedium, 32, 224, 512},
    {"vit_betwixt_patch32_clip_224", kBetwixt, 32, 224, 512},
    {"vit_base_patch16_clip_224", kBase, 16},
    {"vit_base_patch16_clip_384", kBase, 16, 384},
    {"vit_base_patch32_clip_224", kBase, 32},
    {"vit_base_patch32_clip_256", kBase, 32, 256, 512},
    {"vit_base_patch32_clip_384", kBase, 32, 384},
    {"vit_base_patch32_clip_448", kBase, 32, 448},
    {"vit_base_patch16_plus_clip_240", kPlus, 16, 240, 640},
    {"vit_large_patch14_clip_224", kLarge, 14},
    {"vit_large_patch14_clip_336", kLarge, 14, 336},
    {"vit_huge_patch14_clip_224", kHuge, 14},
    {"vit_huge_patch14_clip_336", kHuge, 14, 336},
    {"vit_huge_patch14_clip_378", kHuge, 14, 378, 1024},
    {"vit_giant_patch14_clip_224", kGiant, 14, 224, 1024},
    {"vit_gigantic_patch14_clip_224", kGigantic, 14, 224, 1280},
    {"vit_gigantic_patch14_clip_378", kGigantic, 14, 378, 1280},
};

// OpenAI's own and what was trained on from them.
constexpr VitKind kQuickGelu{.norm_first = true, .activation = ActivationKind::quick_gelu, .eps = 1e-5};
constexpr VitRow kQuickGeluRows[] = {
    {"vit_base_patch16_clip_quickgelu_224", kBase, 16, 224, 512},          {"vit_base_patch32_clip_quickgelu_224", kBase, 32, 224, 512},
    {"vit_large_patch14_clip_quickgelu_224", kLarge, 14, 224, 768},        {"vit_large_patch14_clip_quickgelu_336", kLarge, 14, 336, 768},
    {"vit_huge_patch14_clip_quickgelu_224", kHuge, 14, 224, 1024},         {"vit_huge_patch14_clip_quickgelu_378", kHuge, 14, 378, 1024},
    {"vit_gigantic_patch14_clip_quickgelu_224", kGigantic, 14, 224, 1280},
};

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  add_vits(variants, kClip, kClipRows);
  add_vits(variants, kQuickGelu, kQuickGeluRows);
  return variants;
}

}  // namespace fovea::models::clip
