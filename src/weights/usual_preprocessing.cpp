#include "weights/usual_preprocessing.h"

#include <sstream>
#include <string>

namespace fovea::weights {
namespace {

// Of the networks without published weights, from timm 1.0 (pretrained_cfg of each name) and, of the transformers library's MobileNets,
// from that library. The columns: model, size, shorter side before the crop (floor of size / crop_pct), interpolation, mean and deviation
// (ImageNet's or all 0.5).
constexpr std::string_view kUsual = R"(
beit3_giant_patch14_224 224 224 bicubic imagenet
beit3_giant_patch14_336 336 336 bicubic imagenet
convnextv2_small 224 256 bicubic imagenet
efficientnet_lite1 240 272 bicubic imagenet
efficientnet_lite2 260 292 bicubic imagenet
efficientnet_lite3 300 331 bicubic imagenet
efficientnet_lite4 380 412 bicubic imagenet
resnetv2_152 224 256 bicubic half
test_vit4 160 168 bicubic half
tf_mobilenetv1_025 224 256 bilinear half
tf_mobilenetv1_050 224 256 bilinear half
tf_mobilenetv1_075 192 224 bilinear half
tf_mobilenetv1_100 224 256 bilinear half
tf_mobilenetv2_035 96 128 bilinear half
tf_mobilenetv2_050 224 256 bilinear half
tf_mobilenetv2_075 160 192 bilinear half
tf_mobilenetv2_100 224 256 bilinear half
tf_mobilenetv2_130 224 256 bilinear half
tf_mobilenetv2_140 224 256 bilinear half
timm/efficientnet_b6 528 560 bicubic imagenet
timm/efficientnet_b7 600 632 bicubic imagenet
vit_base_patch16_18x2_224 224 248 bicubic half
vit_base_patch16_gap_224 224 248 bicubic half
vit_base_patch16_plus_240 240 252 bicubic half
vit_base_patch16_reg4_gap_256 256 284 bicubic half
vit_base_patch16_xp_224 224 248 bicubic half
vit_base_patch32_plus_256 256 269 bicubic half
vit_betwixt_patch16_gap_256 256 269 bicubic half
vit_giant_patch14_224 224 248 bicubic half
vit_gigantic_patch14_224 224 248 bicubic half
vit_huge_patch14_xp_224 224 248 bicubic half
vit_large_patch14_224 224 248 bicubic half
vit_large_patch14_xp_224 224 248 bicubic half
vit_small_patch16_18x2_224 224 248 bicubic half
vit_small_patch16_36x1_224 224 248 bicubic half
vit_so150m_patch16_reg4_map_256 256 284 bicubic half
)";

}  // namespace

std::optional<Preprocessing> usual_preprocessing(std::string_view model) {
  std::istringstream lines{std::string(kUsual)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, interpolation, normalization;
    Preprocessing usual;
    if (!(words >> name >> usual.height >> usual.resize >> interpolation >> normalization) || name != model) continue;
    usual.width = usual.height;
    usual.interpolation = parse_interpolation(interpolation);
    if (normalization == "half") usual.mean = usual.std = {0.5f, 0.5f, 0.5f};
    return usual;
  }
  return std::nullopt;
}

}  // namespace fovea::weights
