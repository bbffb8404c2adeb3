// The picture towers of SigLIP (Zhai et al. 2023, arXiv:2303.15343) and SigLIP 2 (Tschannen et al. 2025, arXiv:2502.14786). Those with
// "gap" in their names end with the mean of all places in place of an attention pool.
#include "models/families.h"
#include "models/vision_transformer.h"

namespace fovea::models::siglip {
namespace {

using namespace vit_sizes;

constexpr VitKind kSiglip{.class_token = false, .pooling = VitPooling::attention};
constexpr VitRow kSiglipRows[] = {
    {"vit_base_patch16_siglip_224", kBase, 16, 224, 0},     {"vit_base_patch16_siglip_256", kBase, 16, 256, 0},
    {"vit_base_patch16_siglip_384", kBase, 16, 384, 0},     {"vit_base_patch16_siglip_512", kBase, 16, 512, 0},
    {"vit_large_patch16_siglip_256", kLarge, 16, 256, 0},   {"vit_large_patch16_siglip_384", kLarge, 16, 384, 0},
    {"vit_so400m_patch14_siglip_224", kSo400m, 14, 224, 0}, {"vit_so400m_patch14_siglip_378", kSo400m, 14, 378, 0},
    {"vit_so400m_patch14_siglip_384", kSo400m, 14, 384, 0},
};

constexpr VitKind kMean{.class_token = false, .pooling = VitPooling::mean};
constexpr VitRow kMeanRows[] = {
    {"vit_base_patch16_siglip_gap_224", kBase, 16, 224, 0},     {"vit_base_patch16_siglip_gap_256", kBase, 16, 256, 0},
    {"vit_base_patch16_siglip_gap_384", kBase, 16, 384, 0},     {"vit_base_patch16_siglip_gap_512", kBase, 16, 512, 0},
    {"vit_large_patch16_siglip_gap_256", kLarge, 16, 256, 0},   {"vit_large_patch16_siglip_gap_384", kLarge, 16, 384, 0},
    {"vit_so400m_patch14_siglip_gap_224", kSo400m, 14, 224, 0}, {"vit_so400m_patch14_siglip_gap_378", kSo400m, 14, 378, 0},
    {"vit_so400m_patch14_siglip_gap_384", kSo400m, 14, 384, 0}, {"vit_so400m_patch14_siglip_gap_448", kSo400m, 14, 448, 0},
    {"vit_so400m_patch14_siglip_gap_896", kSo400m, 14, 896, 0},
};

constexpr VitKind kSiglip2{.class_token = false, .activation = ActivationKind::gelu_tanh, .pooling = VitPooling::attention};
constexpr VitRow kSiglip2Rows[] = {
    {"vit_base_patch32_siglip_256", kBase, 32, 256, 0},
    {"vit_large_patch16_siglip_512", kLarge, 16, 512, 0},
    {"vit_so400m_patch16_siglip_256", kSo400m, 16, 256, 0},
    {"vit_so400m_patch16_siglip_384", kSo400m, 16, 384, 0},
    {"vit_so400m_patch16_siglip_512", kSo400m, 16, 512, 0},
    {"vit_giantopt_patch16_siglip_256", {1536, 40, 16, 6144}, 16, 256, 0},
    {"vit_giantopt_patch16_siglip_384", {1536, 40, 16, 6144}, 16, 384, 0},
};

constexpr VitKind kMean2{.class_token = false, .activation = ActivationKind::gelu_tanh, .pooling = VitPooling::mean};
constexpr VitRow kMean2Rows[] = {
    {"vit_base_patch32_siglip_gap_256", kBase, 32, 256, 0},
    {"vit_large_patch16_siglip_gap_512", kLarge, 16, 512, 0},
    {"vit_so400m_patch16_siglip_gap_256", kSo400m, 16, 256, 0},
    {"vit_so400m_patch16_siglip_gap_384", kSo400m, 16, 384, 0},
    {"vit_so400m_patch16_siglip_gap_512", kSo400m, 16, 512, 0},
    {"vit_giantopt_patch16_siglip_gap_256", {1536, 40, 16, 6144}, 16, 256, 0},
    {"vit_giantopt_patch16_siglip_gap_384", {1536, 40, 16, 6144}, 16, 384, 0},
};

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  add_vits(variants, kSiglip, kSiglipRows);
  add_vits(variants, kMean, kMeanRows);
  add_vits(variants, kSiglip2, kSiglip2Rows);
  add_vits(variants, kMean2, kMean2Rows);
  return variants;
}

}  // namespace fovea::models::siglip
