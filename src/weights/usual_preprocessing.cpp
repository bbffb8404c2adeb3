#include "weights/usual_preprocessing.h"

#include <sstream>
#include <string>

namespace fovea::weights {
namespace {

// From timm 1.0: pretrained_cfg of each name. The columns: model, size, shorter side before the crop (floor of size / crop_pct),
// interpolation, mean and deviation (ImageNet's, all 0.5, CLIP's, or none: as the picture has them), how the picture is fitted where that is
// no crop.
constexpr std::string_view kTimm = R"(
aimv2_1b_patch14_224 224 224 bicubic clip
aimv2_1b_patch14_336 336 336 bicubic clip
aimv2_1b_patch14_448 448 448 bicubic clip
aimv2_3b_patch14_224 224 224 bicubic clip
aimv2_3b_patch14_336 336 336 bicubic clip
aimv2_3b_patch14_448 448 448 bicubic clip
aimv2_huge_patch14_224 224 224 bicubic clip
aimv2_huge_patch14_336 336 336 bicubic clip
aimv2_huge_patch14_448 448 448 bicubic clip
aimv2_large_patch14_224 224 224 bicubic clip
aimv2_large_patch14_336 336 336 bicubic clip
aimv2_large_patch14_448 448 448 bicubic clip
beit3_base_patch16_224 224 224 bicubic imagenet
beit3_giant_patch14_224 224 224 bicubic imagenet
beit3_giant_patch14_336 336 336 bicubic imagenet
beit3_large_patch16_224 224 224 bicubic imagenet
convnext_atto 224 256 bicubic imagenet
convnext_atto_ols 224 256 bicubic imagenet
convnext_femto 224 256 bicubic imagenet
convnext_femto_ols 224 256 bicubic imagenet
convnext_large_mlp 320 320 bicubic clip
convnext_nano 224 235 bicubic imagenet
convnext_nano_ols 224 235 bicubic imagenet
convnext_pico 224 256 bicubic imagenet
convnext_pico_ols 224 235 bicubic imagenet
convnext_tiny_hnf 224 235 bicubic imagenet
convnext_xlarge 224 256 bicubic imagenet
convnext_xxlarge 256 256 bicubic clip
convnextv2_atto 224 256 bicubic imagenet
convnextv2_base 224 256 bicubic imagenet
convnextv2_femto 224 256 bicubic imagenet
convnextv2_huge 384 384 bicubic imagenet squash
convnextv2_large 224 256 bicubic imagenet
convnextv2_nano 224 256 bicubic imagenet
convnextv2_pico 224 256 bicubic imagenet
convnextv2_small 224 256 bicubic imagenet
convnextv2_tiny 224 256 bicubic imagenet
deit3_base_patch16_224 224 248 bicubic imagenet
deit3_base_patch16_384 384 384 bicubic imagenet
deit3_huge_patch14_224 224 248 bicubic imagenet
deit3_large_patch16_224 224 248 bicubic imagenet
deit3_large_patch16_384 384 384 bicubic imagenet
deit3_medium_patch16_224 224 248 bicubic imagenet
deit3_small_patch16_224 224 248 bicubic imagenet
deit3_small_patch16_384 384 384 bicubic imagenet
deit_base_patch16_224 224 248 bicubic imagenet
deit_base_patch16_384 384 384 bicubic imagenet
deit_small_patch16_224 224 248 bicubic imagenet
deit_tiny_patch16_224 224 248 bicubic imagenet
densenetblur121d 224 256 bicubic imagenet
ecaresnet101d 224 256 bicubic imagenet
ecaresnet101d_pruned 224 256 bicubic imagenet
ecaresnet269d 320 336 bicubic imagenet
ecaresnet26t 256 292 bicubic imagenet
ecaresnet50d 224 256 bicubic imagenet
ecaresnet50d_pruned 224 256 bicubic imagenet
ecaresnet50t 256 292 bicubic imagenet
ecaresnetlight 224 256 bicubic imagenet
efficientnet_b1_pruned 240 272 bicubic half
efficientnet_b2_pruned 260 292 bicubic half
efficientnet_b3_pruned 300 331 bicubic half
efficientnet_el 300 331 bicubic imagenet
efficientnet_el_pruned 300 331 bicubic imagenet
efficientnet_em 240 272 bicubic imagenet
efficientnet_es 224 256 bicubic imagenet
efficientnet_es_pruned 224 256 bicubic imagenet
efficientnet_h_b5 448 448 bicubic imagenet squash
efficientnet_lite0 224 256 bicubic imagenet
efficientnet_lite1 240 272 bicubic imagenet
efficientnet_lite2 260 292 bicubic imagenet
efficientnet_lite3 300 331 bicubic imagenet
efficientnet_lite4 380 412 bicubic imagenet
efficientnet_x_b5 448 448 bicubic imagenet squash
efficientnetv2_rw_m 320 320 bicubic imagenet
efficientnetv2_rw_s 288 288 bicubic imagenet
efficientnetv2_rw_t 224 224 bicubic imagenet
eva_large_patch14_196 196 196 bicubic clip
eva_large_patch14_336 336 336 bicubic clip squash
fbnetc_100 224 256 bilinear imagenet
fbnetv3_b 224 235 bilinear imagenet
fbnetv3_d 224 235 bilinear imagenet
fbnetv3_g 240 252 bilinear imagenet
flexivit_base 240 252 bicubic half
flexivit_large 240 252 bicubic half
flexivit_small 240 252 bicubic half
lcnet_050 224 256 bicubic imagenet
lcnet_075 224 256 bicubic imagenet
lcnet_100 224 256 bicubic imagenet
mixnet_l 224 256 bicubic imagenet
mixnet_m 224 256 bicubic imagenet
mixnet_s 224 256 bicubic imagenet
mixnet_xl 224 256 bicubic imagenet
mnasnet_100 224 256 bicubic imagenet
mnasnet_small 224 256 bicubic imagenet
mobilenet_edgetpu_v2_m 224 248 bicubic half
mobilenetv1_100 224 256 bicubic half
mobilenetv1_100h 224 256 bicubic half
mobilenetv1_125 224 248 bicubic half
mobilenetv2_050 224 256 bicubic imagenet
mobilenetv2_100 224 256 bicubic imagenet
mobilenetv2_110d 224 256 bicubic imagenet
mobilenetv2_120d 224 256 bicubic imagenet
mobilenetv2_140 224 256 bicubic imagenet
mobilenetv3_large_100 224 256 bicubic imagenet
mobilenetv3_large_150d 256 269 bilinear half
mobilenetv3_rw 224 256 bicubic imagenet
mobilenetv3_small_050 224 256 bicubic imagenet
mobilenetv3_small_075 224 256 bicubic imagenet
mobilenetv3_small_100 224 256 bicubic imagenet
mobilenetv4_conv_aa_large 448 471 bicubic imagenet
mobilenetv4_conv_blur_medium 224 235 bicubic imagenet
mobilenetv4_conv_large 384 404 bicubic imagenet
mobilenetv4_conv_medium 256 269 bicubic imagenet
mobilenetv4_conv_small 224 256 bicubic imagenet
mobilenetv4_conv_small_050 224 256 bicubic half
resnet101c 224 256 bicubic imagenet
resnet101d 256 269 bicubic imagenet
resnet101s 224 256 bicubic imagenet
resnet10t 176 201 bicubic imagenet
resnet14t 176 201 bicubic imagenet
resnet152c 224 256 bicubic imagenet
resnet152d 256 269 bicubic imagenet
resnet152s 224 256 bicubic imagenet
resnet18d 224 256 bicubic imagenet
resnet200d 256 269 bicubic imagenet
resnet26 224 256 bicubic imagenet
resnet26d 224 256 bicubic imagenet
resnet26t 256 272 bicubic imagenet
resnet34d 224 256 bicubic imagenet
resnet50_gn 224 238 bicubic imagenet
resnet50c 224 256 bicubic imagenet
resnet50d 224 256 bicubic imagenet
resnet50s 224 256 bicubic imagenet
resnetaa101d 224 235 bicubic imagenet
resnetaa50 224 235 bicubic imagenet
resnetaa50d 224 235 bicubic imagenet
resnetblur50 224 256 bicubic imagenet
resnetrs101 192 204 bicubic imagenet
resnetrs152 256 256 bicubic imagenet
resnetrs200 256 256 bicubic imagenet
resnetrs270 256 256 bicubic imagenet
resnetrs350 288 288 bicubic imagenet
resnetrs420 320 320 bicubic imagenet
resnetrs50 160 175 bicubic imagenet
resnetv2_101 224 235 bicubic half
resnetv2_101x1_bit 448 448 bilinear half
resnetv2_101x3_bit 448 448 bilinear half
resnetv2_152 224 256 bicubic half
resnetv2_152x2_bit 224 256 bicubic half
resnetv2_152x4_bit 480 480 bilinear half
resnetv2_18 224 248 bicubic half
resnetv2_18d 224 248 bicubic half
resnetv2_34 224 248 bicubic half
resnetv2_34d 224 248 bicubic half
resnetv2_50 224 235 bicubic half
resnetv2_50d_gn 224 235 bicubic half
resnetv2_50x1_bit 224 256 bicubic half
resnetv2_50x3_bit 448 448 bilinear half
resnext101_32x16d 224 256 bilinear imagenet
resnext101_32x32d 224 256 bilinear imagenet
resnext101_32x4d 224 256 bilinear imagenet
resnext50d_32x4d 224 256 bicubic imagenet
semnasnet_075 224 256 bicubic imagenet
semnasnet_100 224 256 bicubic imagenet
senet154 224 256 bicubic imagenet
seresnet152d 256 269 bicubic imagenet
seresnet50 224 235 bicubic imagenet
seresnext101_32x4d 224 256 bicubic imagenet
seresnext101_32x8d 224 235 bicubic imagenet
seresnext101_64x4d 224 256 bicubic imagenet
seresnext101d_32x8d 224 235 bicubic imagenet
seresnext26d_32x4d 224 256 bicubic imagenet
seresnext26t_32x4d 224 256 bicubic imagenet
seresnext50_32x4d 224 256 bicubic imagenet
seresnextaa101d_32x8d 288 303 bicubic imagenet
seresnextaa201d_32x8d 384 384 bicubic imagenet
spnasnet_100 224 256 bilinear imagenet
test_convnext3 160 168 bicubic half
test_efficientnet 160 168 bicubic imagenet
test_efficientnet_gn 160 168 bicubic half
test_efficientnet_ln 160 168 bicubic imagenet
test_resnet 160 168 bilinear half
test_vit 160 168 bicubic half
test_vit2 160 168 bicubic half
test_vit3 160 168 bicubic half
test_vit4 160 168 bicubic half
tf_efficientnet_b0 224 256 bicubic imagenet
tf_efficientnet_b1 240 272 bicubic imagenet
tf_efficientnet_b2 260 292 bicubic imagenet
tf_efficientnet_b3 300 331 bicubic imagenet
tf_efficientnet_b4 380 412 bicubic imagenet
tf_efficientnet_b5 456 488 bicubic imagenet
tf_efficientnet_b6 528 560 bicubic imagenet
tf_efficientnet_b7 600 632 bicubic imagenet
tf_efficientnet_b8 672 704 bicubic half
tf_efficientnet_el 300 331 bicubic half
tf_efficientnet_em 240 272 bicubic half
tf_efficientnet_es 224 256 bicubic half
tf_efficientnet_l2 475 507 bicubic imagenet
tf_efficientnet_lite0 224 256 bicubic half
tf_efficientnet_lite1 240 272 bicubic half
tf_efficientnet_lite2 260 292 bicubic half
tf_efficientnet_lite3 300 331 bilinear half
tf_efficientnet_lite4 380 413 bilinear half
tf_efficientnetv2_b0 192 219 bicubic imagenet
tf_efficientnetv2_b1 192 217 bicubic imagenet
tf_efficientnetv2_b2 208 233 bicubic imagenet
tf_efficientnetv2_b3 240 266 bicubic half squash_crop
tf_efficientnetv2_l 384 384 bicubic half squash
tf_efficientnetv2_m 384 384 bicubic half squash
tf_efficientnetv2_s 300 300 bicubic half
tf_efficientnetv2_xl 384 384 bicubic half squash
tf_mixnet_l 224 256 bicubic imagenet
tf_mixnet_m 224 256 bicubic imagenet
tf_mixnet_s 224 256 bicubic imagenet
tf_mobilenetv3_large_075 224 256 bilinear half
tf_mobilenetv3_large_100 224 256 bilinear half
tf_mobilenetv3_large_minimal_100 224 256 bilinear half
tf_mobilenetv3_small_075 224 256 bilinear half
tf_mobilenetv3_small_100 224 256 bilinear half
tf_mobilenetv3_small_minimal_100 224 256 bilinear half
timm/convnext_base 224 256 bicubic imagenet
timm/convnext_large 224 256 bicubic imagenet
timm/convnext_small 224 235 bicubic imagenet
timm/convnext_tiny 224 235 bicubic imagenet
timm/densenet121 224 256 bicubic imagenet
timm/densenet161 224 256 bicubic imagenet
timm/densenet169 224 256 bicubic imagenet
timm/densenet201 224 256 bicubic imagenet
timm/efficientnet_b0 224 256 bicubic imagenet
timm/efficientnet_b1 240 266 bicubic half
timm/efficientnet_b2 256 292 bicubic imagenet
timm/efficientnet_b3 288 329 bicubic imagenet
timm/efficientnet_b4 320 365 bicubic imagenet
timm/efficientnet_b5 448 448 bicubic imagenet squash
timm/efficientnet_b6 528 560 bicubic imagenet
timm/efficientnet_b7 600 632 bicubic imagenet
timm/resnet101 224 235 bicubic imagenet
timm/resnet152 224 235 bicubic imagenet
timm/resnet18 224 235 bicubic imagenet
timm/resnet34 224 235 bicubic imagenet
timm/resnet50 224 235 bicubic imagenet
timm/resnext101_32x8d 224 256 bilinear imagenet
timm/resnext101_64x4d 224 235 bicubic imagenet
timm/resnext50_32x4d 224 235 bicubic imagenet
timm/vgg11 224 256 bilinear imagenet
timm/vgg11_bn 224 256 bilinear imagenet
timm/vgg13 224 256 bilinear imagenet
timm/vgg13_bn 224 256 bilinear imagenet
timm/vgg16 224 256 bilinear imagenet
timm/vgg16_bn 224 256 bilinear imagenet
timm/vgg19 224 256 bilinear imagenet
timm/vgg19_bn 224 256 bilinear imagenet
timm/wide_resnet101_2 224 256 bilinear imagenet
timm/wide_resnet50_2 224 256 bicubic imagenet
tinynet_a 192 219 bicubic imagenet
tinynet_b 188 214 bicubic imagenet
tinynet_c 184 210 bicubic imagenet
tinynet_d 152 173 bicubic imagenet
tinynet_e 106 121 bicubic imagenet
vit_base_patch14_dinov2 518 518 bicubic imagenet
vit_base_patch14_reg1_tipsv2 448 448 bicubic none
vit_base_patch14_reg4_dinov2 518 518 bicubic imagenet
vit_base_patch16_18x2_224 224 248 bicubic half
vit_base_patch16_224 224 248 bicubic half
vit_base_patch16_224_miil 224 256 bilinear none
vit_base_patch16_384 384 384 bicubic half
vit_base_patch16_clip_224 224 235 bicubic clip
vit_base_patch16_clip_384 384 384 bicubic clip squash
vit_base_patch16_clip_quickgelu_224 224 224 bicubic clip
vit_base_patch16_gap_224 224 248 bicubic half
vit_base_patch16_plus_240 240 252 bicubic half
vit_base_patch16_plus_clip_240 240 240 bicubic clip
vit_base_patch16_radio_v3 512 512 bicubic clip
vit_base_patch16_reg4_gap_256 256 284 bicubic half
vit_base_patch16_rpn_224 224 248 bicubic half
vit_base_patch16_siglip_224 224 248 bicubic half
vit_base_patch16_siglip_256 256 284 bicubic half
vit_base_patch16_siglip_384 384 426 bicubic half
vit_base_patch16_siglip_512 512 568 bicubic half
vit_base_patch16_siglip_gap_224 224 248 bicubic half
vit_base_patch16_siglip_gap_256 256 284 bicubic half
vit_base_patch16_siglip_gap_384 384 426 bicubic half
vit_base_patch16_siglip_gap_512 512 568 bicubic half
vit_base_patch16_xp_224 224 248 bicubic half
vit_base_patch32_224 224 248 bicubic half
vit_base_patch32_384 384 384 bicubic half
vit_base_patch32_clip_224 224 248 bicubic clip
vit_base_patch32_clip_256 256 256 bicubic clip
vit_base_patch32_clip_384 384 384 bicubic clip
vit_base_patch32_clip_448 448 448 bicubic clip
vit_base_patch32_clip_quickgelu_224 224 248 bicubic clip
vit_base_patch32_plus_256 256 269 bicubic half
vit_base_patch32_siglip_256 256 284 bicubic half
vit_base_patch32_siglip_gap_256 256 284 bicubic half
vit_base_patch8_224 224 248 bicubic half
vit_betwixt_patch16_gap_256 256 269 bicubic half
vit_betwixt_patch16_reg1_gap_256 256 269 bicubic half
vit_betwixt_patch16_reg4_gap_256 256 269 bicubic half
vit_betwixt_patch16_reg4_gap_384 384 384 bicubic half
vit_betwixt_patch32_clip_224 224 248 bicubic clip
vit_dlittle_patch16_reg1_gap_256 256 269 bicubic half
vit_dpwee_patch16_reg1_gap_256 256 269 bicubic half
vit_dwee_patch16_reg1_gap_256 256 269 bicubic half
vit_giant_patch14_224 224 248 bicubic half
vit_giant_patch14_clip_224 224 224 bicubic clip
vit_giant_patch14_dinov2 518 518 bicubic imagenet
vit_giant_patch14_reg1_tipsv2 448 448 bicubic none
vit_giant_patch14_reg4_dinov2 518 518 bicubic imagenet
vit_giant_patch16_gap_224 224 248 bicubic imagenet
vit_giant_patch16_radio_v3 512 512 bicubic clip
vit_giantopt_patch16_siglip_256 256 284 bicubic half
vit_giantopt_patch16_siglip_384 384 426 bicubic half
vit_giantopt_patch16_siglip_gap_256 256 284 bicubic half
vit_giantopt_patch16_siglip_gap_384 384 426 bicubic half
vit_gigantic_patch14_224 224 248 bicubic half
vit_gigantic_patch14_clip_224 224 224 bicubic clip
vit_gigantic_patch14_clip_378 378 378 bicubic clip squash
vit_gigantic_patch14_clip_quickgelu_224 224 224 bicubic clip
vit_huge_patch14_224 224 248 bicubic half
vit_huge_patch14_clip_224 224 224 bicubic clip
vit_huge_patch14_clip_336 336 336 bicubic clip squash
vit_huge_patch14_clip_378 378 378 bicubic clip
vit_huge_patch14_clip_quickgelu_224 224 224 bicubic clip
vit_huge_patch14_clip_quickgelu_378 378 378 bicubic clip
vit_huge_patch14_gap_224 224 248 bicubic imagenet
vit_huge_patch14_xp_224 224 248 bicubic half
vit_huge_patch16_gap_448 448 448 bicubic imagenet
vit_huge_patch16_radio_v3 512 512 bicubic clip
vit_huge_patch16_radio_v4 512 512 bicubic clip
vit_intern300m_patch14_448 448 448 bicubic imagenet
vit_large_patch14_224 224 248 bicubic half
vit_large_patch14_clip_224 224 224 bicubic half
vit_large_patch14_clip_336 336 336 bicubic half squash
vit_large_patch14_clip_quickgelu_224 224 224 bicubic clip
vit_large_patch14_clip_quickgelu_336 336 336 bicubic clip
vit_large_patch14_dinov2 518 518 bicubic imagenet
vit_large_patch14_reg1_tipsv2 448 448 bicubic none
vit_large_patch14_reg4_dinov2 518 518 bicubic imagenet
vit_large_patch14_xp_224 224 248 bicubic half
vit_large_patch16_224 224 248 bicubic half
vit_large_patch16_384 384 384 bicubic half
vit_large_patch16_radio_v3 512 512 bicubic clip
vit_large_patch16_siglip_256 256 284 bicubic half
vit_large_patch16_siglip_384 384 426 bicubic half
vit_large_patch16_siglip_512 512 568 bicubic half
vit_large_patch16_siglip_gap_256 256 284 bicubic half
vit_large_patch16_siglip_gap_384 384 426 bicubic half
vit_large_patch16_siglip_gap_512 512 568 bicubic half
vit_large_patch32_224 224 248 bicubic half
vit_large_patch32_384 384 384 bicubic half
vit_little_patch16_reg1_gap_256 256 269 bicubic half
vit_little_patch16_reg4_gap_256 256 269 bicubic half
vit_medium_patch16_clip_224 224 248 bicubic clip
vit_medium_patch16_gap_240 240 252 bicubic half
vit_medium_patch16_gap_256 256 269 bicubic half
vit_medium_patch16_gap_384 384 404 bicubic half squash_crop
vit_medium_patch16_reg1_gap_256 256 269 bicubic half
vit_medium_patch16_reg4_gap_256 256 269 bicubic half
vit_medium_patch32_clip_224 224 248 bicubic clip
vit_mediumd_patch16_reg4_gap_256 256 269 bicubic half
vit_mediumd_patch16_reg4_gap_384 384 384 bicubic half
vit_pwee_patch16_reg1_gap_256 256 269 bicubic half
vit_small_patch14_dinov2 518 518 bicubic imagenet
vit_small_patch14_reg4_dinov2 518 518 bicubic imagenet
vit_small_patch16_18x2_224 224 248 bicubic half
vit_small_patch16_224 224 248 bicubic half
vit_small_patch16_36x1_224 224 248 bicubic half
vit_small_patch16_384 384 384 bicubic half
vit_small_patch32_224 224 248 bicubic half
vit_small_patch32_384 384 384 bicubic half
vit_small_patch8_224 224 248 bicubic imagenet
vit_so150m2_patch16_reg1_gap_256 256 256 bicubic half
vit_so150m2_patch16_reg1_gap_384 384 384 bicubic half
vit_so150m2_patch16_reg1_gap_448 448 448 bicubic half squash
vit_so150m_patch16_reg4_gap_256 256 269 bicubic half
vit_so150m_patch16_reg4_gap_384 384 384 bicubic half
vit_so150m_patch16_reg4_map_256 256 284 bicubic half
vit_so400m_patch14_reg1_tipsv2 448 448 bicubic none
vit_so400m_patch14_siglip_224 224 248 bicubic half
vit_so400m_patch14_siglip_378 378 420 bicubic half
vit_so400m_patch14_siglip_384 384 426 bicubic half
vit_so400m_patch14_siglip_gap_224 224 248 bicubic half
vit_so400m_patch14_siglip_gap_378 378 420 bicubic half
vit_so400m_patch14_siglip_gap_384 384 384 bicubic half
vit_so400m_patch14_siglip_gap_448 448 448 bicubic half
vit_so400m_patch14_siglip_gap_896 896 896 bicubic half
vit_so400m_patch16_radio_v4 512 512 bicubic clip
vit_so400m_patch16_siglip_256 256 284 bicubic half
vit_so400m_patch16_siglip_384 384 426 bicubic half
vit_so400m_patch16_siglip_512 512 568 bicubic half
vit_so400m_patch16_siglip_gap_256 256 284 bicubic half
vit_so400m_patch16_siglip_gap_384 384 426 bicubic half
vit_so400m_patch16_siglip_gap_512 512 568 bicubic half
vit_tiny_patch16_224 224 248 bicubic half
vit_tiny_patch16_384 384 384 bicubic half
vit_wee_patch16_reg1_gap_256 256 269 bicubic half
vit_xsmall_patch16_clip_224 224 248 bicubic clip
)";

}  // namespace

std::optional<Preprocessing> usual_preprocessing(std::string_view model) {
  std::istringstream lines{std::string(kTimm)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, interpolation, normalization;
    Preprocessing usual;
    if (!(words >> name >> usual.height >> usual.resize >> interpolation >> normalization) || name != model) continue;
    usual.width = usual.height;
    usual.interpolation = parse_interpolation(interpolation);
    if (normalization == "half") usual.mean = usual.std = {0.5f, 0.5f, 0.5f};
    if (normalization == "clip") {
      usual.mean = {0.48145466f, 0.4578275f, 0.40821073f};
      usual.std = {0.26862954f, 0.26130258f, 0.27577711f};
    }
    if (normalization == "none") {
      usual.mean = {0, 0, 0};
      usual.std = {1, 1, 1};
    }
    if (std::string fit; words >> fit) usual.fit = parse_fit(fit);
    return usual;
  }
  return std::nullopt;
}

}  // namespace fovea::weights
