// timm's own networks of many sizes between the usual ones: registers, the mean of the places and a norm after it, a layer scale; some with
// attention and MLP side by side, some with differential attention (Ye et al. 2024, arXiv:2410.05258).
#include "models/families.h"
#include "models/vision_transformer.h"

namespace fovea::models::vit_registers {
namespace {

using namespace vit_sizes;

constexpr VitKind kGap{.class_token = false, .qkv_bias = false, .layer_scale = 1e-6, .pooling = VitPooling::mean};
constexpr VitRow kGapRows[] = {
    {"vit_medium_patch16_gap_240", kMedium, 16, 240, 11821},
    {"vit_medium_patch16_gap_256", kMedium, 16, 256},
    {"vit_medium_patch16_gap_384", kMedium, 16, 384},
    {"vit_betwixt_patch16_gap_256", kBetwixt, 16, 256},
};

constexpr VitKind kOneRegister{.class_token = false,
                               .registers = 1,
                               .only_places_embedded = true,
                               .layer_scale = 1e-5,
                               .pooling = VitPooling::mean,
                               .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kOneRegisterRows[] = {
    {"vit_wee_patch16_reg1_gap_256", {256, 14, 4, 1280}, 16, 256},
    {"vit_little_patch16_reg1_gap_256", {320, 14, 5, 1792}, 16, 256},
    {"vit_medium_patch16_reg1_gap_256", kMedium, 16, 256},
    {"vit_betwixt_patch16_reg1_gap_256", kBetwixt, 16, 256},
};

constexpr VitKind kFourRegisters{.class_token = false,
                                 .registers = 4,
                                 .only_places_embedded = true,
                                 .layer_scale = 1e-5,
                                 .pooling = VitPooling::mean,
                                 .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kFourRegisterRows[] = {
    {"vit_little_patch16_reg4_gap_256", {320, 14, 5, 1792}, 16, 256},  {"vit_medium_patch16_reg4_gap_256", kMedium, 16, 256},
    {"vit_mediumd_patch16_reg4_gap_256", {512, 20, 8, 2048}, 16, 256}, {"vit_mediumd_patch16_reg4_gap_384", {512, 20, 8, 2048}, 16, 384},
    {"vit_betwixt_patch16_reg4_gap_256", kBetwixt, 16, 256},           {"vit_betwixt_patch16_reg4_gap_384", kBetwixt, 16, 384},
};

constexpr VitKind kUnscaled{.class_token = false,
                            .registers = 4,
                            .only_places_embedded = true,
                            .pooling = VitPooling::mean,
                            .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kUnscaledRows[] = {
    {"vit_base_patch16_reg4_gap_256", kBase, 16, 256},
};

constexpr VitKind kParallel{.class_token = false,
                            .registers = 1,
                            .only_places_embedded = true,
                            .block = VitBlock::parallel,
                            .layer_scale = 1e-5,
                            .pooling = VitPooling::mean,
                            .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kParallelRows[] = {
    {"vit_pwee_patch16_reg1_gap_256", {256, 16, 4, 1280}, 16, 256},
};

constexpr VitKind kDifferential{.class_token = false,
                                .registers = 1,
                                .only_places_embedded = true,
                                .differential = true,
                                .layer_scale = 1e-5,
                                .pooling = VitPooling::mean,
                                .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kDifferentialRows[] = {
    {"vit_dwee_patch16_reg1_gap_256", {256, 14, 4, 1280}, 16, 256},
    {"vit_dlittle_patch16_reg1_gap_256", {320, 14, 5, 1792}, 16, 256},
};

constexpr VitKind kDifferentialParallel{.class_token = false,
                                        .registers = 1,
                                        .only_places_embedded = true,
                                        .block = VitBlock::parallel_one_output,
                                        .differential = true,
                                        .layer_scale = 1e-5,
                                        .pooling = VitPooling::mean,
                                        .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kDifferentialParallelRows[] = {
    {"vit_dpwee_patch16_reg1_gap_256", {256, 16, 4, 1280}, 16, 256},
};

constexpr VitKind kSo150m{.class_token = false, .registers = 4, .pooling = VitPooling::mean};
constexpr VitRow kSo150mRows[] = {
    {"vit_so150m_patch16_reg4_gap_256", {896, 18, 14, 2304}, 16, 256},
    {"vit_so150m_patch16_reg4_gap_384", {896, 18, 14, 2304}, 16, 384},
};

constexpr VitKind kSo150mMap{.class_token = false, .registers = 4, .pooling = VitPooling::attention};
constexpr VitRow kSo150mMapRows[] = {
    {"vit_so150m_patch16_reg4_map_256", {896, 18, 14, 2304}, 16, 256},
};

constexpr VitKind kSo150m2{.class_token = false,
                           .registers = 1,
                           .qkv_bias = false,
                           .layer_scale = 1e-5,
                           .pooling = VitPooling::mean,
                           .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kSo150m2Rows[] = {
    {"vit_so150m2_patch16_reg1_gap_256", {832, 21, 13, 2176}, 16, 256},
    {"vit_so150m2_patch16_reg1_gap_384", {832, 21, 13, 2176}, 16, 384},
    {"vit_so150m2_patch16_reg1_gap_448", {832, 21, 13, 2176}, 16, 448},
};

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  add_vits(variants, kGap, kGapRows);
  add_vits(variants, kOneRegister, kOneRegisterRows);
  add_vits(variants, kFourRegisters, kFourRegisterRows);
  add_vits(variants, kUnscaled, kUnscaledRows);
  add_vits(variants, kParallel, kParallelRows);
  add_vits(variants, kDifferential, kDifferentialRows);
  add_vits(variants, kDifferentialParallel, kDifferentialParallelRows);
  add_vits(variants, kSo150m, kSo150mRows);
  add_vits(variants, kSo150mMap, kSo150mMapRows);
  add_vits(variants, kSo150m2, kSo150m2Rows);
  return variants;
}

}  // namespace fovea::models::vit_registers
