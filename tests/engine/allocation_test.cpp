// While an executable runs, fovea's own code allocates nothing, and nobody more than 4 KiB at once, but for the kernels that
// support/packing.h names. Counted by standing in for malloc and operator new.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "backends/cpu/cpu.h"
#include "base/parallel.h"
#include "engine/executable.h"
#include "engine/session.h"
#include "engine/tiny.h"
#include "nn/init.h"
#include "passes/lower_mode.h"
#include "passes/pipeline.h"
#include "support/packing.h"
#include "train/step.h"

#ifdef FOVEA_SANITIZED
#define FOVEA_COUNTS 0  // the sanitizer stands in for malloc itself
#else
#define FOVEA_COUNTS 1
#endif

namespace {

std::atomic<bool> counting{false}, packing{false};
std::atomic<int> own{0}, others{0}, large{0};

constexpr size_t kLargest = 4096;

// fovea is linked into this program; oneDNN, its threads and the C++ runtime are libraries of their own.
void count(size_t bytes, void* caller) {
  if (!counting.load(std::memory_order_relaxed)) return;
  Dl_info mine{}, theirs{};
  dladdr(reinterpret_cast<void*>(&count), &mine);
  const bool known = dladdr(caller, &theirs) != 0;
  (known && theirs.dli_fbase == mine.dli_fbase ? own : others)++;
  if (bytes > kLargest && !packing.load(std::memory_order_relaxed)) ++large;
}

}  // namespace

#if FOVEA_COUNTS
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) {
  count(bytes, __builtin_return_address(0));
  return __libc_malloc(bytes);
}
void* calloc(size_t items, size_t bytes) {
  count(items * bytes, __builtin_return_address(0));
  return __libc_calloc(items, bytes);
}
void* realloc(void* old, size_t bytes) {
  count(bytes, __builtin_return_address(0));
  return __libc_realloc(old, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  count(bytes, __builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** result, size_t alignment, size_t bytes) {
  count(bytes, __builtin_return_address(0));
  *result = __libc_memalign(alignment, bytes);
  return *result ? 0 : ENOMEM;
}
}

// The runtime's operator new calls malloc itself, and its caller would be lost.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // these are a pair
void* operator new(size_t bytes) {
  count(bytes, __builtin_return_address(0));
  if (void* memory = __libc_malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new[](size_t bytes) {
  count(bytes, __builtin_return_address(0));
  if (void* memory = __libc_malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  count(bytes, __builtin_return_address(0));
  if (void* memory = __libc_memalign(static_cast<size_t>(alignment), bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
#endif

namespace fovea {
namespace {

const passes::PipelineOptions kPipeline{.recompute = {.device = &cpu::cpu_backend().traits()}};

struct Counts {
  int own, others, large;
};

// A kernel of the CPU that says when it is one of those that pack.
class ObservedKernel final : public backend::Kernel {
 public:
  explicit ObservedKernel(std::unique_ptr<backend::Kernel> kernel)
      : kernel_(std::move(kernel)), packs_(test::packs_in_memory_of_its_own(*kernel_)) {}
  size_t workspace_bytes() const override { return kernel_->workspace_bytes(); }
  size_t packed_bytes(int input) const override { return kernel_->packed_bytes(input); }
  void pack(int input, const void* value, void* packed) override { kernel_->pack(input, value, packed); }
  void bind(std::span<void* const> inputs, std::span<void* const> outputs, void* workspace) override {
    kernel_->bind(inputs, outputs, workspace);
  }
  void run() override {
    const int before = large;
    packing = packs_;
    kernel_->run();
    packing = false;
    if (large > before) offender = this;
  }
  static inline const ObservedKernel* offender = nullptr;  // the last that allocated a large block
  std::string describe() const override { return kernel_->describe(); }
  bool packs() const { return packs_; }

 private:
  std::unique_ptr<backend::Kernel> kernel_;
  bool packs_;
};

// The CPU, and how many of its kernels are held to the promise.
class ObservedCpu final : public backend::Backend {
 public:
  std::string_view name() const override { return cpu::cpu_backend().name(); }
  bool supports(DType dtype) const override { return cpu::cpu_backend().supports(dtype); }
  const DeviceTraits& traits() const override { return cpu::cpu_backend().traits(); }
  std::unique_ptr<backend::Kernel> plan(const Op& op, std::span<const backend::Operand> inputs,
                                        std::span<const backend::Operand> outputs) const override {
    auto kernel = std::make_unique<ObservedKernel>(cpu::cpu_backend().plan(op, inputs, outputs));
    ++(kernel->packs() ? excepted : held);
    return kernel;
  }
  mutable int held = 0, excepted = 0;
};

ObservedCpu& observed_cpu() {
  static ObservedCpu cpu;
  return cpu;
}

template <class Body>
Counts counted(Body&& body) {
  own = others = large = 0;
  counting = true;
  body();
  counting = false;
  return {own, others, large};
}

std::unique_ptr<engine::Executable> compile(Graph graph) {
  auto store = std::make_shared<engine::StateStore>();
  auto executable = engine::Executable::compile(std::move(graph), observed_cpu(), store, std::make_shared<engine::Arena>());
  for (const State& state : executable->graph().states())
    if (state.role != StateRole::optimizer) store->set(state.name, initialize(state, 1, executable->graph().type(state.value).dtype));
  executable->prepare();
  return executable;
}

template <class Executable>
void expect_quiet(Executable& executable) {
  EXPECT_GT(observed_cpu().held, 2 * observed_cpu().excepted);
  executable.run();  // the first run starts threads
  const Counts counts = counted([&] {
    for (int i = 0; i < 3; ++i) executable.run();
  });
  EXPECT_EQ(counts.own, 0);
  EXPECT_EQ(counts.large, 0) << "the last of them by " << (ObservedKernel::offender ? ObservedKernel::offender->describe() : "no kernel");
  testing::Test::RecordProperty("library_allocations_of_three_runs", counts.others);
}

class Allocation : public testing::Test {
 protected:
  void SetUp() override {
    if (!FOVEA_COUNTS) GTEST_SKIP() << "the address sanitizer stands in for malloc";
  }
};

TEST_F(Allocation, TheCounterSeesAllocations) {
  const Counts counts = counted([] {
    void* volatile small = std::malloc(16);
    void* volatile big = ::operator new(kLargest + 1);
    std::free(small);
    ::operator delete(big);
  });
  EXPECT_EQ(counts.own, 2);
  EXPECT_EQ(counts.large, 1);
}

TEST_F(Allocation, NoneInATrainingStep) {
  for (auto kind : {training::OptimizerOptions::Kind::sgd, training::OptimizerOptions::Kind::adamw}) {
    training::StepOptions options;
    options.optimizer.kind = kind;
    const ModelGraph model = tiny_model({.batch = 8, .size = 48, .activation = ActivationKind::silu, .random = true});
    expect_quiet(*compile(training::build_step(training::lower_for_training(model, {}), options, kPipeline)));
  }
}

TEST_F(Allocation, NoneInInference) {
  for (const char* name : {"resnet18", "tf_efficientnet_lite0", "efficientnet_b0"}) {
    BuildOptions build;
    build.height = build.width = 96;
    expect_quiet(*compile(engine::inference_graph(models::build(models::get(name), build), {"logits"})));
  }
}

TEST_F(Allocation, NoneInInferenceOfABatch) {
  const auto build = [](int64_t batch) {
    BuildOptions options;
    options.batch = batch;
    options.height = options.width = 96;
    return engine::inference_graph(models::build(models::get("resnet18"), options), {"logits"});
  };
  const Graph graph = build(1);
  auto store = std::make_shared<engine::StateStore>();
  store->declare(graph);
  for (const State& state : graph.states()) store->set(state.name, initialize(state, 1, graph.type(state.value).dtype));
  const auto executable = engine::BatchExecutable::compile(build, 16, observed_cpu(), store, std::make_shared<engine::Arena>());
  executable->prepare();
  expect_quiet(*executable);
}

TEST_F(Allocation, NoneInATrainingStepOfALargeNetwork) {
  BuildOptions build;
  build.batch = 4;
  build.height = build.width = 96;
  expect_quiet(
      *compile(training::build_step(training::lower_for_training(models::build(models::get("resnet50"), build), {}), {}, kPipeline)));
}

TEST_F(Allocation, NoneInATrainingStepOfATransformerInBf16) {
  BuildOptions build;
  build.batch = 2;
  build.height = build.width = 96;
  training::StepOptions options;
  options.precision = DType::bf16;
  const ModelGraph model = models::build(models::get("deit_tiny_patch16_224"), build);
  expect_quiet(*compile(training::build_step(training::lower_for_training(model, {}), options, kPipeline)));
}

}  // namespace
}  // namespace fovea
