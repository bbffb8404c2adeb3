// What holds of every kernel's run: allocations, denormals, threads, instruction sets, refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xmmintrin.h>

#include <hwy/highway.h>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "backends/cpu/cpu.h"
#include "base/error.h"
#include "base/parallel.h"
#include "cpu/op_check.h"
#include "ops/activation.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/max_pool2d.h"
#include "ops/sgd_update.h"
#include "support/packing.h"

namespace {
std::atomic<bool> counting{false};
std::atomic<size_t> largest{0}, count{0};

[[maybe_unused]] void note(size_t bytes) {
  if (!counting) return;
  ++count;
  size_t seen = largest;
  while (bytes > seen && !largest.compare_exchange_weak(seen, bytes)) {
  }
}
}  // namespace

// Every allocation of the process, oneDNN's and its threads' included. Under a sanitizer its own allocator has to stay.
#ifndef FOVEA_SANITIZED
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) {
  note(bytes);
  return __libc_malloc(bytes);
}
void* calloc(size_t number, size_t bytes) {
  note(number * bytes);
  return __libc_calloc(number, bytes);
}
void* realloc(void* old, size_t bytes) {
  note(bytes);
  return __libc_realloc(old, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  note(bytes);
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** result, size_t alignment, size_t bytes) {
  note(bytes);
  *result = __libc_memalign(alignment, bytes);
  return *result ? 0 : 12;
}
}
#endif

namespace fovea::test {
namespace {

// A planned kernel with memory of its own, all of it set to one number.
class Runner {
 public:
  Runner(const Op& op, const Types& types, float value = 0.5f) {
    std::vector<backend::Operand> inputs, outputs;
    for (const Type& type : types) inputs.push_back(backend::Operand::dense(type));
    for (const Type& type : op.infer(types)) outputs.push_back(backend::Operand::dense(type));
    kernel_ = cpu::cpu_backend().plan(op, inputs, outputs);
    std::vector<void*> in, out;
    for (const Type& type : types) in.push_back(memory(type.bytes(), value));
    for (const backend::Operand& output : outputs) out.push_back(memory(output.type.bytes(), value));
    first_result_ = static_cast<float*>(out[0]);
    kernel_->bind(in, out, memory(kernel_->workspace_bytes(), 0));
  }
  void run() { kernel_->run(); }
  const backend::Kernel& kernel() const { return *kernel_; }
  const float* first_result() const { return first_result_; }

 private:
  void* memory(size_t bytes, float value) {
    memory_.emplace_back(static_cast<float*>(std::aligned_alloc(64, (bytes + 127) / 64 * 64)), &std::free);
    std::fill_n(memory_.back().get(), (bytes + 3) / 4, value);
    return memory_.back().get();
  }
  std::unique_ptr<backend::Kernel> kernel_;
  std::vector<std::unique_ptr<float, void (*)(void*)>> memory_;
  float* first_result_ = nullptr;
};

Type f32(Shape shape) { return {DType::f32, shape}; }

std::vector<Runner> all_sorts() {
  std::vector<Runner> runners;
  const Type x = f32({4, 64, 28, 28}), w = f32({64, 64, 3, 3}), depthwise = f32({64, 1, 3, 3}), vector = f32({1, 64, 1, 1});
  const Padding2 one{1, 1, 1, 1};
  runners.emplace_back(Conv2d{{1, 1}, one, 1}, Types{x, w});
  runners.emplace_back(FusedConv2d{{1, 1}, one, 1, true, true, ActivationKind::silu}, Types{x, w, vector, x});
  runners.emplace_back(Conv2dInputGrad{{1, 1}, one, 1, {28, 28}}, Types{w, x});
  runners.emplace_back(Conv2dWeightGrad{{1, 1}, one, 1, {3, 3}}, Types{x, x});
  runners.emplace_back(Conv2d{{1, 1}, one, 64}, Types{x, depthwise});
  runners.emplace_back(Conv2dInputGrad{{1, 1}, one, 64, {28, 28}}, Types{depthwise, x});
  runners.emplace_back(Conv2dWeightGrad{{1, 1}, one, 64, {3, 3}}, Types{x, x});
  runners.emplace_back(Conv2d{}, Types{f32({16, 512, 1, 1}), f32({1000, 512, 1, 1})});
  runners.emplace_back(Conv2d{{2, 2}, {3, 3, 3, 3}, 1}, Types{f32({2, 3, 64, 64}), f32({64, 3, 7, 7})});
  runners.emplace_back(Conv2dWeightGrad{{2, 2}, {}, 1, {1, 1}}, Types{f32({2, 8, 14, 14}), f32({2, 24, 7, 7})});
  runners.emplace_back(BatchNormTraining{1e-5, 0.1, false, ActivationKind::relu}, Types{x, vector, vector, vector, vector});
  runners.emplace_back(BatchNormTrainingGrad{1e-5, true, false, ActivationKind::relu}, Types{x, x, vector, vector, vector, vector});
  runners.emplace_back(Activation{ActivationKind::silu}, Types{x});
  runners.emplace_back(MaxPool2d{{3, 3}, {2, 2}, one}, Types{x});
  runners.emplace_back(SgdUpdate{}, Types{w, w, w, f32({})});
  return runners;
}

TEST(CpuRun, AllocatesNothingOfNote) {
#ifdef FOVEA_SANITIZED
  GTEST_SKIP() << "the sanitizer owns the allocator";
#endif
  std::vector<Runner> runners = all_sorts();
  for (Runner& runner : runners) runner.run();  // what threads and the library allocate once
  for (size_t i = 0; i < runners.size(); ++i) {
    largest = 0, count = 0;
    counting = true;
    runners[i].run();
    counting = false;
    if (!packs_in_memory_of_its_own(runners[i].kernel())) {
      EXPECT_LE(largest, 4096u) << "kernel " << i << ": " << runners[i].kernel().describe();
    }
    EXPECT_LE(count, 40u) << "kernel " << i;  // the library's argument tables
  }
  largest = 0;
  counting = true;
  void* volatile seen = std::malloc(20000);
  counting = false;
  std::free(seen);
  EXPECT_GE(largest, 20000u) << "the counter does not count";
}

TEST(CpuRun, DenormalsAreZeroWhileItRunsAndTheCallersModeIsKept) {
  const unsigned before = _mm_getcsr();
  const Type x = f32({4, 64, 28, 28});
  for (const auto& [op, types] :
       {std::pair<Op, Types>{Activation{ActivationKind::identity}, {x}}, std::pair<Op, Types>{Conv2d{}, {x, f32({64, 64, 1, 1})}}}) {
    Runner runner(op, types, 1e-40f);
    runner.run();
    if (op.name() != "conv2d") continue;  // products of denormals and their sums
    for (int64_t i = 0; i < x.elements(); ++i) ASSERT_EQ(runner.first_result()[i], 0.0f);
  }
  Runner multiply(Conv2d{}, {x, f32({64, 64, 1, 1})}, 1e-20f);  // results of 1e-40
  multiply.run();
  for (int64_t i = 0; i < x.elements(); ++i) ASSERT_EQ(multiply.first_result()[i], 0.0f);
  EXPECT_EQ(_mm_getcsr() & 0x8040u, before & 0x8040u);
}

TEST(CpuRun, KernelsKeepTheirThreads) {
  const int before = threads();
  const Array x = random_array({8, 64, 14, 14}, 61), w = random_array({64, 64, 3, 3}, 62);
  for (int count : {1, 2, 3, 5}) {
    set_threads(count);
    CheckOptions options;
    options.tolerance = 2e-6;
    check_op(Conv2d{{1, 1}, {1, 1, 1, 1}, 1}, {x, w}, options);
    check_op(Conv2dWeightGrad{{1, 1}, {1, 1, 1, 1}, 1, {3, 3}}, {x, random_array({8, 64, 14, 14}, 63)}, options);
    check_op(Conv2dWeightGrad{{1, 1}, {1, 1, 1, 1}, 64, {3, 3}}, {x, random_array({8, 64, 14, 14}, 63)}, options);
    Runner planned(BatchNormTraining{},
                   {f32({8, 64, 14, 14}), f32({1, 64, 1, 1}), f32({1, 64, 1, 1}), f32({1, 64, 1, 1}), f32({1, 64, 1, 1})});
    set_threads(count + 2);  // after planning
    planned.run();
    EXPECT_FLOAT_EQ(planned.first_result()[0], 0.5f);
  }
  set_threads(before);
}

TEST(CpuRun, EveryInstructionSetGivesTheSameAnswers) {
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(hwy::TargetName(target));
    const Array x = random_array({3, 45, 6, 7}, 64, 3), dy = random_array({3, 45, 6, 7}, 65);
    const auto vector = [](uint64_t seed) { return random_array({1, 45, 1, 1}, seed, 0.1, 1); };
    for (ActivationKind kind : {ActivationKind::silu, ActivationKind::gelu, ActivationKind::hard_swish}) {
      check_op(Activation{kind}, {x}, {.tolerance = 5e-7});
      check_op(ActivationGrad{kind}, {dy, x}, {.tolerance = 5e-7});
      check_op(BatchNormTraining{1e-5, 0.1, false, kind}, {x, vector(1), vector(2), vector(3), vector(4)});
      check_op(BatchNormTrainingGrad{1e-5, true, false, kind}, {dy, x, vector(1), vector(2), vector(3), vector(4)});
    }
    check_op(MaxPool2d{{3, 3}, {2, 2}, {1, 1, 1, 1}}, {x}, {.tolerance = 0});
    for (int64_t k : {3, 5, 7}) {
      const int64_t p = k / 2;
      check_op(Conv2dWeightGrad{{1, 1}, {p, p, p, p}, 45, {k, k}}, {x, dy}, {.dense_operands = {100}});
    }
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

TEST(CpuRun, RefusalsSayWhy) {
  const auto message = [](const Op& op, const Types& types) -> std::string {
    try {
      Runner runner(op, types);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported);
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message(Activation{}, {{DType::f64, Shape{1, 2, 1, 1}}}), testing::HasSubstr("f64[1,2,1,1] is neither f32 nor bf16"));
  EXPECT_THAT(message(BatchNorm{}, {f32({1, 2, 1, 1}), f32({1, 2, 1, 1}), f32({1, 2, 1, 1}), f32({1, 2, 1, 1}), f32({1, 2, 1, 1})}),
              testing::HasSubstr("no candidate is registered"));
}

}  // namespace
}  // namespace fovea::test
