// Networks that were searched for: MnasNet (Tan et al. 2018, arXiv:1807.11626, figure 7), with squeeze-and-excitation ("semnasnet") and
// without, Single-Path NAS (Stamoulis et al. 2019, arXiv:1904.02877), FBNet-C (Wu et al. 2018, arXiv:1812.03443) and MixNet (Tan and Le
// 2019, arXiv:1907.09595, figure 5; "tf_": SAME padding, eps of 1e-3, as its weights were trained). In the layout of timm's weights.
#include "models/families.h"
#include "models/mobile_network.h"

namespace fovea::models::mnasnet {
namespace {

constexpr const char* kB1[] = {"ds_r1_k3_s1_c16_noskip", "ir_r3_k3_s2_e3_c24",  "ir_r3_k5_s2_e3_c40",        "ir_r3_k5_s2_e6_c80",
                               "ir_r2_k3_s1_e6_c96",     "ir_r4_k5_s2_e6_c192", "ir_r1_k3_s1_e6_c320_noskip"};
constexpr const char* kA1[] = {"ds_r1_k3_s1_e1_c16_noskip", "ir_r2_k3_s2_e6_c24",         "ir_r3_k5_s2_e3_c40_se0.25",
                               "ir_r4_k3_s2_e6_c80",        "ir_r2_k3_s1_e6_c112_se0.25", "ir_r3_k5_s2_e6_c160_se0.25",
                               "ir_r1_k3_s1_e6_c320"};
constexpr const char* kSmall[] = {"ds_r1_k3_s1_c8",
                                  "ir_r1_k3_s2_e3_c16",
                                  "ir_r2_k3_s2_e6_c16",
                                  "ir_r4_k5_s2_e6_c32_se0.25",
                                  "ir_r3_k3_s1_e6_c32_se0.25",
                                  "ir_r3_k5_s2_e6_c88_se0.25",
                                  "ir_r1_k3_s1_e6_c144"};
constexpr const char* kSinglePath[] = {"ds_r1_k3_s1_c16_noskip",
                                       "ir_r3_k3_s2_e3_c24",
                                       "ir_r1_k5_s2_e6_c40 ir_r3_k3_s1_e3_c40",
                                       "ir_r1_k5_s2_e6_c80 ir_r3_k3_s1_e3_c80",
                                       "ir_r1_k5_s1_e6_c96 ir_r3_k5_s1_e3_c96",
                                       "ir_r4_k5_s2_e6_c192",
                                       "ir_r1_k3_s1_e6_c320_noskip"};
constexpr const char* kFbnetC[] = {"ir_r1_k3_s1_e1_c16",
                                   "ir_r1_k3_s2_e6_c24 ir_r2_k3_s1_e1_c24",
                                   "ir_r1_k5_s2_e6_c32 ir_r1_k5_s1_e3_c32 ir_r1_k5_s1_e6_c32 ir_r1_k3_s1_e6_c32",
                                   "ir_r1_k5_s2_e6_c64 ir_r1_k5_s1_e3_c64 ir_r2_k5_s1_e6_c64",
                                   "ir_r3_k5_s1_e6_c112 ir_r1_k5_s1_e3_c112",
                                   "ir_r4_k5_s2_e6_c184",
                                   "ir_r1_k3_s1_e6_c352"};
constexpr const char* kMixS[] = {"ds_r1_k3_s1_e1_c16",
                                 "ir_r1_k3_a1.1_p1.1_s2_e6_c24 ir_r1_k3_a1.1_p1.1_s1_e3_c24",
                                 "ir_r1_k3.5.7_s2_e6_c40_se0.5_nsw ir_r3_k3.5_a1.1_p1.1_s1_e6_c40_se0.5_nsw",
                                 "ir_r1_k3.5.7_p1.1_s2_e6_c80_se0.25_nsw ir_r2_k3.5_p1.1_s1_e6_c80_se0.25_nsw",
                                 "ir_r1_k3.5.7_a1.1_p1.1_s1_e6_c120_se0.5_nsw ir_r2_k3.5.7.9_a1.1_p1.1_s1_e3_c120_se0.5_nsw",
                                 "ir_r1_k3.5.7.9.11_s2_e6_c200_se0.5_nsw ir_r2_k3.5.7.9_p1.1_s1_e6_c200_se0.5_nsw"};
constexpr const char* kMixM[] = {"ds_r1_k3_s1_e1_c24",
                                 "ir_r1_k3.5.7_a1.1_p1.1_s2_e6_c32 ir_r1_k3_a1.1_p1.1_s1_e3_c32",
                                 "ir_r1_k3.5.7.9_s2_e6_c40_se0.5_nsw ir_r3_k3.5_a1.1_p1.1_s1_e6_c40_se0.5_nsw",
                                 "ir_r1_k3.5.7_s2_e6_c80_se0.25_nsw ir_r3_k3.5.7.9_a1.1_p1.1_s1_e6_c80_se0.25_nsw",
                                 "ir_r1_k3_s1_e6_c120_se0.5_nsw ir_r3_k3.5.7.9_a1.1_p1.1_s1_e3_c120_se0.5_nsw",
                                 "ir_r1_k3.5.7.9_s2_e6_c200_se0.5_nsw ir_r3_k3.5.7.9_p1.1_s1_e6_c200_se0.5_nsw"};

MobileNetwork searched(Stages stages, double width = 1, int64_t stem = 32) { return {.stages = stages, .width = width, .stem = stem}; }

// Its weights were trained with TensorFlow's eps, which timm has where it loads them.
MobileNetwork fbnet_c() { return {.stages = kFbnetC, .stem = 16, .features = 1984, .norm_eps = 1e-3}; }

MobileNetwork mixnet_s() { return {.stages = kMixS, .stem = 16, .features = 1536}; }
MobileNetwork mixnet_m(double width, double depth = 1) {
  return {.stages = kMixM, .width = width, .depth = depth, .stem = 24, .rounded_depth = true, .features = 1536};
}

MobileNetwork tensorflow(MobileNetwork network) {
  network.norm_eps = 1e-3;
  network.same_padding = true;
  return network;
}

}  // namespace

std::vector<Variant> variants() {
  const auto variant = [](const char* name, const MobileNetwork& network) { return mobile_variant("mnasnet", name, network, 224); };
  return {
      variant("mnasnet_100", searched(kB1)),
      variant("mnasnet_small", searched(kSmall, 1, 8)),
      variant("semnasnet_075", searched(kA1, 0.75)),
      variant("semnasnet_100", searched(kA1)),
      variant("spnasnet_100", searched(kSinglePath)),
      variant("fbnetc_100", fbnet_c()),
      variant("mixnet_s", mixnet_s()),
      variant("mixnet_m", mixnet_m(1)),
      variant("mixnet_l", mixnet_m(1.3)),
      variant("mixnet_xl", mixnet_m(1.6, 1.2)),
      variant("tf_mixnet_s", tensorflow(mixnet_s())),
      variant("tf_mixnet_m", tensorflow(mixnet_m(1))),
      variant("tf_mixnet_l", tensorflow(mixnet_m(1.3))),
  };
}

}  // namespace fovea::models::mnasnet
