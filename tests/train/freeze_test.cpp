// What is frozen: which parameters that is, what it saves, and that a step has nothing below the cut, for every family.
#include "train/freeze.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "backends/cpu/cpu.h"
#include "models/registry.h"
#include "ops/conv2d.h"
#include "passes/split_frozen.h"
#include "train/frozen_prefix.h"
#include "train/small_run.h"
#include "train/step_runner.h"

namespace fovea::training {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

engine::Network network_of(const std::string& name, int64_t size = 64) {
  Preprocessing preprocessing;
  preprocessing.height = preprocessing.width = size;
  return engine::Network(models::get(name), engine::NetworkForm{{"a", "b", "c"}}, preprocessing, 7);
}

std::string message_of(const engine::Network& network, const std::string& freeze) {
  try {
    network.frozen_by(freeze);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Freeze, TakesTapsPatternsAndLayers) {
  const engine::Network network = network_of("resnet18");
  EXPECT_TRUE(network.frozen_by("none").empty());
  EXPECT_EQ(network.frozen_by("all").size() + 2, network.frozen_by("layer4").size() + 2);  // all but fc.weight and fc.bias
  EXPECT_TRUE(network.frozen_by("layer1").contains("conv1.weight"));
  EXPECT_FALSE(network.frozen_by("layer1.*").contains("conv1.weight"));
  EXPECT_TRUE(network.frozen_by("layer1.*").contains("layer1.1.bn2.bias"));
  EXPECT_THAT(network.frozen_by("layer1.0.bn1"), ElementsAre("layer1.0.bn1.bias", "layer1.0.bn1.weight"));
  EXPECT_THAT(network.frozen_by("layer2.?.conv1.weight,conv1.weight"),
              ElementsAre("conv1.weight", "layer2.0.conv1.weight", "layer2.1.conv1.weight"));
  for (const std::string& name : network.frozen_by("*.bn*,bn1")) EXPECT_THAT(name, HasSubstr("bn"));
}

TEST(Freeze, NamesWhatIsNear) {
  const engine::Network network = network_of("resnet18");
  EXPECT_THAT(message_of(network, "layr3"),
              AllOf(HasSubstr("'layr3'"), HasSubstr("layer3"), HasSubstr("the taps are relu, maxpool, layer1")));
  EXPECT_THAT(message_of(network, "layer1.*,layer1.0.conv3"), AllOf(HasSubstr("'layer1.0.conv3'"), HasSubstr("layer1.0.conv1")));
  EXPECT_THAT(message_of(network, "auto"), HasSubstr("only training knows"));
  EXPECT_THAT(message_of(network, "*"), AllOf(HasSubstr("'*'"), HasSubstr("nothing to train")));
}

TEST(Freeze, ChoosesByPicturesOfAClass) {
  const engine::Network network = network_of("resnet50", 224);
  const auto choice = [&](int64_t each) { return choose_freeze(network, 12 * each, 12).freeze; };
  EXPECT_EQ(choice(9), "all");
  EXPECT_EQ(choice(10), "layer3");
  EXPECT_EQ(choice(29), "layer3");
  EXPECT_EQ(choice(30), "layer2");
  EXPECT_EQ(choice(99), "layer2");
  EXPECT_EQ(choice(100), "layer1");
  EXPECT_EQ(choice(300), "none");
  EXPECT_THAT(choose_freeze(network, 140, 7).reason, HasSubstr("20 training pictures a class, fewer than 30"));
}

// He et al. 2015, table 1: 4.1 G multiply-adds, of which layer4 has a fifth; twice as many backward as forward where all trains, but none
// for the picture.
TEST(Freeze, CountsWhatItSaves) {
  const engine::Network network = network_of("resnet50", 224);
  const FreezeSavings layer4 = freeze_savings(network, network.frozen_by("layer3"), 2, cpu::cpu_backend().traits());
  EXPECT_NEAR(static_cast<double>(layer4.full.forward), 4.09e9, 0.02e9);
  EXPECT_EQ(layer4.frozen.forward, layer4.full.forward);
  EXPECT_NEAR(layer4.share(), 0.453, 0.002);
  EXPECT_NEAR(layer4.share_with_features_kept(), 0.183, 0.002);
  EXPECT_LT(layer4.frozen.saved_bytes, layer4.full.saved_bytes / 5);
  EXPECT_LT(layer4.frozen.arena_bytes, layer4.full.arena_bytes / 2);
  const FreezeSavings head = freeze_savings(network, network.frozen_by("all"), 2, cpu::cpu_backend().traits());
  EXPECT_NEAR(head.share(), 1.0 / 3, 0.01);
  EXPECT_LT(head.share_with_features_kept(), 1e-4);
  EXPECT_EQ(head.parameters - head.frozen_parameters, 3 * 2048 + 3);
}

struct FreezeCase {
  const char* name;
  const char* freeze;
};

std::string case_name(const testing::TestParamInfo<FreezeCase>& info) { return info.param.name; }

class FreezeEveryFamily : public testing::TestWithParam<FreezeCase> {};

constexpr int64_t kFreezeBatch = 4;

std::vector<float> pictures(int64_t count, int64_t size, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(count * size * size * 3));
  const RandomStream random(seed, "pictures");
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

StepOptions sgd(const std::set<std::string>& frozen) {
  StepOptions options;
  options.optimizer.kind = OptimizerOptions::Kind::sgd;
  options.frozen = frozen;
  return options;
}

// Nothing of the backward pass is below the cut: it reads no value from there but the cuts, and asks for no gradient of them.
TEST_P(FreezeEveryFamily, TheBackwardGraphEndsAtTheCut) {
  const engine::Network network = network_of(GetParam().name);
  const std::set<std::string> frozen = network.frozen_by(GetParam().freeze);
  const Graph lowered = lower_for_training(network.build(kFreezeBatch), frozen);
  const passes::SplitGraph split = passes::split_frozen(lowered, frozen, {"image"});
  ASSERT_FALSE(split.cuts.empty());
  std::set<std::string> below;
  for (const NodeInfo& node : split.prefix.nodes()) below.insert(node.name);
  EXPECT_GT(below.size(), 1u);
  for (const State& state : split.prefix.states()) EXPECT_FALSE(state.next.valid()) << state.name;

  // Of the rest alone.
  const Graph step = build_step(split.suffix, sgd(frozen));
  EXPECT_FALSE(step.find_input("image"));
  std::set<uint32_t> cuts;
  for (const NamedValue& cut : split.cuts) cuts.insert(step.find_input(cut.name)->index);
  for (const NodeInfo& node : step.nodes()) {
    if (!node.op.as<Conv2d>() || !cuts.contains(node.inputs[0].index)) continue;
    for (const NodeInfo& other : step.nodes())
      EXPECT_FALSE(other.op.as<Conv2dInputGrad>() && other.name == "grad:" + node.name) << node.name;
  }
  for (const State& state : step.states()) {
    EXPECT_FALSE(state.next.valid() && frozen.contains(state.name)) << state.name;
    if (state.role == StateRole::optimizer) {
      EXPECT_FALSE(frozen.contains(state.name.substr(state.name.find(':') + 1))) << state.name;
    }
  }

  // And of the whole: autodiff itself goes no further.
  const Graph whole = build_step(lowered, sgd(frozen));
  for (const NodeInfo& node : whole.nodes()) {
    if (node.name.starts_with("grad:")) {
      EXPECT_FALSE(below.contains(node.name.substr(5)) && node.op.as<Conv2dWeightGrad>()) << node.name;
    }
  }
}

// Two steps change no bit of what is frozen, running statistics among it, and every parameter that is not.
TEST_P(FreezeEveryFamily, KeepsEveryBitOfIt) {
  engine::Network network = network_of(GetParam().name);
  const std::set<std::string> frozen = network.frozen_by(GetParam().freeze);
  const auto arena = std::make_shared<engine::Arena>();
  const auto prefix = FrozenPrefix::find(network, frozen, kFreezeBatch, {cpu::cpu_backend(), arena});
  ASSERT_TRUE(prefix);
  const weights::StateDict before = network.state_dict();
  StepRunner runner(
      [&](int64_t batch, Gradients, const passes::RecomputeOptions&) {
        return build_step(without_prefix(lower_for_training(network.build(batch), frozen), frozen), sgd(frozen));
      },
      prefix->inputs(), cpu::cpu_backend(), network.store(), arena, 0);
  std::vector<float> rows(static_cast<size_t>(kFreezeBatch * prefix->width())), data(rows.size());
  const std::vector<int32_t> labels{0, 1, 2, 0};
  for (int64_t step = 0; step < 2; ++step) {
    prefix->run(pictures(kFreezeBatch, 64, static_cast<uint64_t>(step)), kFreezeBatch, rows);
    for (int64_t i = 0; i < kFreezeBatch; ++i)
      prefix->arrange(std::span(rows).subspan(static_cast<size_t>(i * prefix->width()), static_cast<size_t>(prefix->width())), i,
                      kFreezeBatch, data);
    runner.run({data, labels, 0.1, step});
  }
  std::set<std::string> in_prefix;
  for (const State& state : prefix->executable().of_group().graph().states()) in_prefix.insert(state.name);
  int changed = 0;
  for (const auto& [name, tensor] : before) {
    const Tensor now = network.store()->get(name);
    const bool same = std::memcmp(now.raw(), tensor.raw(), tensor.bytes()) == 0;
    const bool fixed = frozen.contains(name) || in_prefix.contains(name);
    if (fixed) {
      EXPECT_TRUE(same) << name;
    }
    changed += !fixed && !same;
  }
  EXPECT_GT(changed, 0);
}

// The features of a picture depend on nothing beside it, nor on its place in a batch, to the last bit.
TEST_P(FreezeEveryFamily, GivesAPictureTheSameBitsAnywhere) {
  engine::Network network = network_of(GetParam().name);
  const auto prefix = FrozenPrefix::find(network, network.frozen_by(GetParam().freeze), kFreezeBatch,
                                         {cpu::cpu_backend(), std::make_shared<engine::Arena>()});
  ASSERT_TRUE(prefix);
  ASSERT_EQ(prefix->batch(), kFreezeBatch);
  constexpr int64_t kCount = 6;
  const auto width = static_cast<size_t>(prefix->width());
  const std::vector<float> all = pictures(kCount, 64, 3);
  const size_t picture = all.size() / kCount;
  std::vector<float> rows(kCount * width), alone(width);
  prefix->run(all, kCount, rows);
  for (size_t i = 0; i < kCount; ++i) {
    prefix->run(std::span(all).subspan(i * picture, picture), 1, alone);
    EXPECT_EQ(std::memcmp(alone.data(), rows.data() + i * width, width * sizeof(float)), 0) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, FreezeEveryFamily,
                         testing::Values(FreezeCase{"resnet18", "layer2"}, FreezeCase{"resnetv2_18", "stages.1"},
                                         FreezeCase{"mobilenetv1_100", "blocks.3"}, FreezeCase{"mobilenet_v3_small", "features.5"},
                                         FreezeCase{"efficientnet_b0", "features.4"}, FreezeCase{"tf_efficientnet_lite0", "all"},
                                         FreezeCase{"densenet121", "features.denseblock2"}, FreezeCase{"convnextv2_atto", "stages.1"},
                                         FreezeCase{"deit_tiny_patch16_224", "blocks.5"}),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Slow, FreezeEveryFamily,
                         testing::Values(FreezeCase{"resnetv2_50x1_bit", "stages.2"}, FreezeCase{"vgg11", "features.10"},
                                         FreezeCase{"convnext_tiny", "features.5"},
                                         FreezeCase{"vit_b_32", "encoder.layers.encoder_layer_6"}),
                         case_name);

// Through the middle of a block: the rest reads several values of the frozen part.
class FreezePartOfABlock : public testing::TestWithParam<FreezeCase> {};

TEST_P(FreezePartOfABlock, CutsThroughSeveralValues) {
  engine::Network network = network_of(GetParam().name);
  const auto prefix = FrozenPrefix::find(network, network.frozen_by(GetParam().freeze), kFreezeBatch,
                                         {cpu::cpu_backend(), std::make_shared<engine::Arena>()});
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->cuts().size(), 2u);
  std::vector<float> row(static_cast<size_t>(prefix->width())), data(3 * row.size());
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(i);
  prefix->arrange(row, 1, 3, data);
  size_t offset = 0;
  for (const FrozenPrefix::Cut& cut : prefix->cuts()) {
    const auto width = static_cast<size_t>(cut.width);
    EXPECT_EQ(data[3 * offset + width], static_cast<float>(offset));
    EXPECT_EQ(data[3 * offset + 2 * width - 1], static_cast<float>(offset + width - 1));
    offset += width;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Networks, FreezePartOfABlock,
    testing::Values(FreezeCase{"resnet18", "conv1,bn1,layer1.0.conv1"},
                    FreezeCase{
                        "densenet121",
                        "features.conv0,features.norm0,features.denseblock1.denselayer1.norm1,features.denseblock1.denselayer1.conv1"},
                    FreezeCase{"deit_tiny_patch16_224", "patch_embed,pos_embed,cls_token,blocks.0.norm1,blocks.0.attn.qkv"}),
    case_name);

}  // namespace
}  // namespace fovea::training
