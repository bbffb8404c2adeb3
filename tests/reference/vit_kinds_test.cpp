// Small vision transformers, one for each kind of block, pool and norm that a row of the tables may ask for, against timm's answers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "models/vision_transformer.h"
#include "reference/compare.h"
#include "reference/nodes.h"

namespace fovea::answers {
namespace {

using models::VitKind;
using models::VitRow;

constexpr models::VitSize kSize{48, 3, 3, 96};

struct Small {
  VitRow row;
  VitKind kind;
};

using enum models::VitBlock;
using enum models::VitMlp;
using enum models::VitLastNorm;
constexpr auto kRms = models::VitNorm::root_mean_square;
constexpr auto kMean = models::VitPooling::mean, kAttention = models::VitPooling::attention;

constexpr VitRow small(const char* name) { return {name, kSize, 8, 32, 10}; }

// As tests/data/vits/generate.py has them.
constexpr Small kSmall[] = {
    {small("vit_kind_gated"),
     {.registers = 4, .only_places_embedded = true, .layer_scale = 1e-5, .mlp = gated, .activation = ActivationKind::silu}},
    {small("vit_kind_gated_in_two"),
     {.class_token = false,
      .qkv_bias = false,
      .bias = false,
      .norm_patches = true,
      .norm = kRms,
      .mlp = gated_in_two,
      .activation = ActivationKind::silu,
      .eps = 1e-5,
      .pooling = kMean}},
    {small("vit_kind_inner_norms"), {.inner_norms = true, .eps = 1e-5, .pooling = kMean, .last_norm = after_pooling}},
    {small("vit_kind_twice"), {.block = twice, .layer_scale = 1e-5}},
    {small("vit_kind_norm_last"),
     {.class_token = false, .block = norm_last, .qkv_bias = false, .layer_scale = 1e-5, .pooling = kMean, .last_norm = after_pooling}},
    {small("vit_kind_parallel"),
     {.class_token = false,
      .registers = 1,
      .only_places_embedded = true,
      .block = parallel,
      .layer_scale = 1e-5,
      .pooling = kMean,
      .last_norm = after_pooling}},
    {small("vit_kind_parallel_qk_norm"),
     {.only_places_embedded = true, .norm_first = true, .block = parallel, .qkv_bias = false, .qk_norm = true, .norm = kRms}},
    {small("vit_kind_differential"),
     {.class_token = false,
      .registers = 1,
      .only_places_embedded = true,
      .differential = true,
      .layer_scale = 1e-5,
      .pooling = kMean,
      .last_norm = after_pooling}},
    {small("vit_kind_differential_parallel"),
     {.class_token = false,
      .registers = 1,
      .only_places_embedded = true,
      .block = parallel_one_output,
      .differential = true,
      .layer_scale = 1e-5,
      .pooling = kMean,
      .last_norm = after_pooling}},
    {small("vit_kind_attention_pool"), {.class_token = false, .activation = ActivationKind::gelu_tanh, .pooling = kAttention}},
    {small("vit_kind_attention_pool_of_all"),
     {.class_token = false, .registers = 1, .layer_scale = 1e-5, .pooling = kAttention, .pool_all_tokens = true}},
    {small("vit_kind_quick_gelu"), {.norm_first = true, .activation = ActivationKind::quick_gelu, .eps = 1e-5}},
    {small("vit_kind_no_last_norm"), {.registers = 2, .only_places_embedded = true, .last_norm = none}},
    {small("vit_kind_distilled"), {.distilled = true}},
    {small("vit_kind_embedded_registers"), {.class_token = false, .registers = 4, .pooling = kMean}},
};

// Registers the networks once.
const std::vector<std::string>& names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> list;
    for (const auto& [row, kind] : kSmall) {
      std::vector<models::Variant> one;
      models::add_vits(one, kind, {&row, 1});
      models::add(std::move(one.front()));
      list.emplace_back(row.name);
    }
    return list;
  }();
  return all;
}

// Where keys have a layer of their own, the gradient of its bias is nothing but rounding: every score of a query moves alike.
std::vector<std::string> names_without_key_layers() {
  std::vector<std::string> list;
  for (size_t i = 0; i < names().size(); ++i)
    if (!kSmall[i].kind.differential && kSmall[i].kind.pooling != kAttention) list.push_back(names()[i]);
  return list;
}

Answer answer_of(const std::string& name) {
  return read_answer(FOVEA_TEST_DATA "/vits/" + name.substr(std::string("vit_kind_").size()) + ".json");
}

class VitKinds : public testing::TestWithParam<std::string> {};

TEST_P(VitKinds, OnTheCpuBackend) {
  const Report report = compare(answer_of(GetParam()), {cpu::cpu_backend(), DType::f32});
  EXPECT_EQ(report.over(), 0) << report.text();
}
TEST_P(VitKinds, OnTheReferenceBackend) {
  const Report report = compare(answer_of(GetParam()), {reference::reference_backend(), DType::f64});
  EXPECT_EQ(report.over(), 0) << report.text();
}
class VitKindsNodes : public VitKinds {};
TEST_P(VitKindsNodes, EveryOneOfTheStep) {
  const Report report = compare_nodes(answer_of(GetParam()));
  EXPECT_EQ(report.over(), 0) << report.text();
}
INSTANTIATE_TEST_SUITE_P(Small, VitKinds, testing::ValuesIn(names()), [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Small, VitKindsNodes, testing::ValuesIn(names_without_key_layers()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace fovea::answers
