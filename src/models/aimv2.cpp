// AIMv2 (Fini et al. 2024, arXiv:2411.14402), which was trained to continue pictures and texts.
#include "models/families.h"
#include "models/vision_transformer.h"

namespace fovea::models::aimv2 {
namespace {

using namespace vit_sizes;

constexpr VitKind kAimv2{.class_token = false,
                         .qkv_bias = false,
                         .bias = false,
                         .norm_patches = true,
                         .norm = VitNorm::root_mean_square,
                         .mlp = VitMlp::gated_in_two,
                         .activation = ActivationKind::silu,
                         .eps = 1e-5,
                         .pooling = VitPooling::mean};
constexpr VitRow kRows[] = {
    {"aimv2_large_patch14_224", {1024, 24, 8, 2816}, 14, 224, 0}, {"aimv2_large_patch14_336", {1024, 24, 8, 2816}, 14, 336, 0},
    {"aimv2_large_patch14_448", {1024, 24, 8, 2816}, 14, 448, 0}, {"aimv2_huge_patch14_224", {1536, 24, 12, 4096}, 14, 224, 0},
    {"aimv2_huge_patch14_336", {1536, 24, 12, 4096}, 14, 336, 0}, {"aimv2_huge_patch14_448", {1536, 24, 12, 4096}, 14, 448, 0},
    {"aimv2_1b_patch14_224", {2048, 24, 16, 5632}, 14, 224, 0},   {"aimv2_1b_patch14_336", {2048, 24, 16, 5632}, 14, 336, 0},
    {"aimv2_1b_patch14_448", {2048, 24, 16, 5632}, 14, 448, 0},   {"aimv2_3b_patch14_224", {3072, 24, 24, 8192}, 14, 224, 0},
    {"aimv2_3b_patch14_336", {3072, 24, 24, 8192}, 14, 336, 0},   {"aimv2_3b_patch14_448", {3072, 24, 24, 8192}, 14, 448, 0},
};

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  add_vits(variants, kAimv2, kRows);
  return variants;
}

}  // namespace fovea::models::aimv2
