#include "engine/packed_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "backends/cpu/cpu.h"
#include "engine/network.h"
#include "engine/session.h"
#include "models/registry.h"

namespace fovea {
namespace {

using engine::PackedBlock;

std::shared_ptr<engine::Network> small_network() {
  Preprocessing preprocessing;
  preprocessing.height = preprocessing.width = 64;
  return std::make_shared<engine::Network>(models::get("resnet18"), engine::NetworkForm{}, preprocessing, 1);
}

Tensor picture(int64_t batch) {
  Tensor image(DType::f32, {batch, 3, 64, 64});
  float value = 0;
  for (float& x : image.mutable_values<float>()) x = std::sin(value += 0.37f);
  return image;
}

std::vector<float> logits(engine::Session& session, int64_t batch = 1) {
  const Tensor result = session.run(picture(batch), {"logits"})[0];
  return {result.values<float>().begin(), result.values<float>().end()};
}

TEST(PackedWeights, ABlockLivesAsLongAsSomebodyHoldsIt) {
  engine::PackedWeights packed;
  auto first = packed.block("w as rows", 64);
  EXPECT_EQ(packed.block("w as rows", 64), first);
  EXPECT_NE(packed.block("w as columns", 64), first);
  first->version = 3;
  first.reset();
  EXPECT_EQ(packed.block("w as rows", 64)->version, 0u);
}

// Other outputs and another batch read the same weights: those that they want in the same form lie in memory once.
TEST(PackedWeights, AreSharedByAllExecutablesOfANetwork) {
  const auto network = small_network();
  engine::Session session(network, cpu::cpu_backend());
  const std::vector<float> alone = logits(session);
  const size_t one = session.memory().constants;
  EXPECT_GT(one, 11'000'000u * 4);  // the weights, packed
  session.run(picture(1), {"layer3"});
  session.run(picture(1), {"pooled", "layer1"});
  EXPECT_EQ(session.memory().constants, one);
  EXPECT_EQ(session.memory().held, one);
  engine::Session second(network, cpu::cpu_backend());
  EXPECT_EQ(logits(second), alone);
  std::set<const PackedBlock*> blocks;
  for (const auto& outputs : {std::vector<std::string>{"logits"}, {"layer2", "logits"}})
    engine::compile_inference(*network, {1, 64, 64}, outputs, cpu::cpu_backend(), std::make_shared<engine::Arena>(), nullptr,
                              network->packed_weights())
        ->add_blocks(blocks);
  EXPECT_TRUE(std::ranges::all_of(blocks, [](const PackedBlock* block) { return block->memory && block->version > 0; }));
}

TEST(PackedWeights, FollowTheWeights) {
  const auto network = small_network();
  engine::Session first(network, cpu::cpu_backend()), second(network, cpu::cpu_backend());
  const std::vector<float> before = logits(first);
  EXPECT_EQ(logits(second), before);
  engine::StateStore& store = *network->store();
  const Tensor weight = store.get("conv1.weight");
  Tensor doubled = weight.clone();
  for (float& w : doubled.mutable_values<float>()) w *= 2;
  store.set("conv1.weight", doubled);
  const std::vector<float> after = logits(second);
  EXPECT_NE(after, before);
  EXPECT_EQ(logits(first), after);
  store.set("conv1.weight", weight);
  EXPECT_EQ(logits(first), before);
  EXPECT_EQ(logits(second), before);
}

// Who runs reads them meanwhile: what is there stays untouched when another executable packs the rest.
TEST(PackedWeights, AreWrittenOnce) {
  const auto network = small_network();
  const auto prepared = [&](const std::string& output) {
    auto executable = engine::compile_inference(*network, {1, 64, 64}, {output}, cpu::cpu_backend(), std::make_shared<engine::Arena>(),
                                                nullptr, network->packed_weights());
    executable->prepare();
    return executable;
  };
  const auto first = prepared("layer1");
  std::set<const PackedBlock*> blocks;
  first->add_blocks(blocks);
  EXPECT_GT(blocks.size(), 5u);
  constexpr int kMark = 0x5a;
  for (const PackedBlock* block : blocks) std::memset(block->memory.get(), kMark, block->bytes);
  const auto second = prepared("logits");
  for (const PackedBlock* block : blocks) {
    const auto* const bytes = static_cast<const unsigned char*>(block->memory.get());
    EXPECT_EQ(std::count(bytes, bytes + block->bytes, kMark), static_cast<std::ptrdiff_t>(block->bytes));
  }
}

// Kernels on one core and on two may want the same weights in other forms; each finds its own.
TEST(PackedWeights, FitTheNumberOfCores) {
  const auto network = small_network();
  for (const int64_t batch : {1, 3, 16}) {
    for (const int cores : {1, 2}) {
      const auto shared = engine::Session::for_many(network, cpu::cpu_backend(), cores);
      const auto own_network = network->clone();
      const auto own = engine::Session::for_many(own_network, cpu::cpu_backend(), cores);
      EXPECT_EQ(logits(*shared, batch), logits(*own, batch)) << batch << " pictures on " << cores << " cores";
    }
  }
}

}  // namespace
}  // namespace fovea
