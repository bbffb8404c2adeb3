// The picture tower of BEiT-3 (Wang et al. 2022, arXiv:2208.10442): a norm before the last layer of every branch, as in Magneto.
#include "models/families.h"
#include "models/vision_transformer.h"

namespace fovea::models::beit3 {
namespace {

using namespace vit_sizes;

constexpr VitKind kBeit3{.inner_norms = true, .eps = 1e-5, .pooling = VitPooling::mean, .last_norm = VitLastNorm::after_pooling};
constexpr VitRow kRows[] = {
    {"beit3_base_patch16_224", kBase, 16},
    {"beit3_large_patch16_224", kLarge, 16},
    {"beit3_giant_patch14_224", kGiant, 14},
    {"beit3_giant_patch14_336", kGiant, 14, 336},
};

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> variants;
  add_vits(variants, kBeit3, kRows);
  return variants;
}

}  // namespace fovea::models::beit3
