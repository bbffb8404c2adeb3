// Attention in bf16: which kernel takes it, and that its answers depend neither on the cores nor on which results are wanted.
#include "ops/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dnnl.hpp>
#include <vector>

#include "backends/cpu/cpu.h"
#include "base/float_formats.h"
#include "base/parallel.h"
#include "base/random.h"

namespace fovea::test {
namespace {

using backend::Operand;

// Everything of one type but the logarithms of sums, as networks have it.
class Planned {
 public:
  Planned(const Op& op, Types inputs, std::vector<bool> used = {}) {
    Types outputs = op.infer(inputs);
    if (outputs.size() > 1) outputs[1].dtype = DType::f32;
    std::vector<Operand> reads, writes;
    for (const Type& type : inputs) reads.push_back(Operand::dense(type));
    for (const Type& type : outputs) writes.push_back(Operand::dense(type));
    for (size_t i = 0; i < used.size(); ++i) writes[i].used = used[i];
    kernel_ = cpu::cpu_backend().plan(op, reads, writes);
    for (const Type& type : inputs) in_.push_back(memory(type.bytes()));
    for (size_t i = 0; i < inputs.size(); ++i) fill(inputs[i], i, in_[i]);
    for (const Operand& output : writes) {
      out_.push_back(output.used ? memory(output.type.bytes()) : nullptr);
      bytes_.push_back(output.type.bytes());
    }
    kernel_->bind(in_, out_, memory(kernel_->workspace_bytes()));
  }
  std::string name() const { return kernel_->describe(); }
  std::vector<std::byte> result(size_t output) {
    kernel_->run();
    const auto* const bytes = static_cast<const std::byte*>(out_[output]);
    return {bytes, bytes + bytes_[output]};
  }

 private:
  void* memory(size_t bytes) {
    memory_.emplace_back(std::aligned_alloc(64, (bytes + 127) / 64 * 64), &std::free);
    return memory_.back().get();
  }
  static void fill(const Type& type, uint64_t seed, void* to) {
    const RandomStream random(seed, "numbers");
    for (int64_t i = 0; i < type.elements(); ++i) {
      const auto number = static_cast<float>(random.normal(static_cast<uint64_t>(i)));
      if (type.dtype == DType::bf16)
        static_cast<uint16_t*>(to)[i] = float_to_bfloat16(number);
      else
        static_cast<float*>(to)[i] = number;
    }
  }

  std::unique_ptr<backend::Kernel> kernel_;
  std::vector<std::unique_ptr<void, void (*)(void*)>> memory_;
  std::vector<void*> in_, out_;
  std::vector<size_t> bytes_;
};

constexpr int64_t kHeads = 3, kWidth = 64;

Types inputs_of(const Op& op, DType dtype, int64_t tokens) {
  const Type qkv{dtype, {2, 3 * kHeads * kWidth, tokens, 1}}, y{dtype, {2, kHeads * kWidth, tokens, 1}};
  if (op.name() == Attention::kName) return {qkv};
  return {y, qkv, y, {DType::f32, {2, kHeads, tokens, 1}}};
}

class CpuAttention : public testing::TestWithParam<Op> {
 protected:
  static Planned planned(DType dtype, int64_t tokens, std::vector<bool> used = {}) {
    return {GetParam(), inputs_of(GetParam(), dtype, tokens), std::move(used)};
  }
};

TEST_P(CpuAttention, TheLibraryMultipliesBf16WhereTheMachineHasTiles) {
  if (dnnl::get_effective_cpu_isa() < dnnl::cpu_isa::avx512_core_amx) {
    EXPECT_EQ(planned(DType::bf16, 197).name(), "own simd, converted");
    GTEST_SKIP() << "no AMX";
  }
  for (int64_t tokens : {16, 50, 197, 577, 1025}) EXPECT_THAT(planned(DType::bf16, tokens).name(), testing::HasSubstr("amx")) << tokens;
  EXPECT_EQ(planned(DType::bf16, 15).name(), "own simd, converted");
  EXPECT_EQ(planned(DType::f32, 197).name(), "own simd");
}

TEST_P(CpuAttention, OneCoreGivesTheSameBits) {
  const auto wanted = planned(DType::bf16, 50).result(0);
  for (int cores : {1, 2, 3, 6}) {  // more share a head's queries
    const CoresScope scope(cores);
    EXPECT_EQ(planned(DType::bf16, 50).result(0), wanted) << cores << " cores";
  }
  // As groups of a batch run: each planned for one core, all at once.
  std::vector<std::unique_ptr<Planned>> groups;
  for (int i = 0; i < 4; ++i) {
    const CoresScope scope(1);
    groups.push_back(std::make_unique<Planned>(planned(DType::bf16, 50)));
  }
  std::vector<std::vector<std::byte>> results(groups.size());
  parallel_for(4, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) results[static_cast<size_t>(i)] = groups[static_cast<size_t>(i)]->result(0);
  });
  for (const auto& result : results) EXPECT_EQ(result, wanted);
}

INSTANTIATE_TEST_SUITE_P(Ops, CpuAttention, testing::Values(Op(Attention{kHeads}), Op(AttentionGrad{kHeads})),
                         [](const auto& info) { return std::string(info.param.name()); });

TEST(CpuAttentionResults, ManyCoresShareHeads) {
  const Op op = Attention{kHeads};
  const Types types = inputs_of(op, DType::bf16, 197);
  const auto wanted = Planned(op, types).result(1);
  const CoresScope scope(16);
  const auto found = Planned(op, types).result(1);
  for (size_t i = 0; i < wanted.size() / sizeof(float); ++i)
    ASSERT_NEAR(reinterpret_cast<const float*>(found.data())[i], reinterpret_cast<const float*>(wanted.data())[i], 1e-5) << i;
}

TEST(CpuAttentionResults, AnUnusedOneChangesNoOther) {
  const Op op = Attention{kHeads};
  const Types types = inputs_of(op, DType::bf16, 50);
  Planned both(op, types);
  EXPECT_EQ(Planned(op, types, {true, false}).result(0), both.result(0));
  EXPECT_EQ(Planned(op, types, {false, true}).result(1), both.result(1));
}

}  // namespace
}  // namespace fovea::test
