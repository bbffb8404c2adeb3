// Convolutions of ResNet-50, VGG-16, DenseNet-121, EfficientNet, MobileNetV3 and ConvNeXt on the CPU backend, forward and both gradients,
// with multiply-adds a second; depthwise ones and 3x3 ones of stride 1 by own kernels and by the library's. Those of one picture's last
// layers, in inference, in both types, likewise; their weights come from outside of the second-level cache, as in a network.
//
//   build/bench/convolution --benchmark_filter=weight_grad
//   FOVEA_BATCH=1 build/bench/convolution --benchmark_filter=depthwise
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/candidates.h"
#include "backends/cpu/cpu.h"
#include "base/memory.h"
#include "ops/conv2d.h"

namespace fovea {
namespace {

struct Layer {
  const char* name;
  int64_t channels, size, out, kernel, stride, groups;
};

constexpr Layer kLayers[] = {{"resnet50 conv1", 3, 224, 64, 7, 2, 1},
                             {"resnet50 layer1 1x1", 256, 56, 64, 1, 1, 1},
                             {"resnet50 layer1 3x3", 64, 56, 64, 3, 1, 1},
                             {"resnet50 layer2 stride", 128, 56, 128, 3, 2, 1},
                             {"resnet50 layer3 3x3", 256, 14, 256, 3, 1, 1},
                             {"resnet50 layer4 1x1", 512, 7, 2048, 1, 1, 1},
                             {"vgg16 layer2 3x3", 64, 224, 64, 3, 1, 1},
                             {"vgg16 layer9 3x3", 512, 28, 512, 3, 1, 1},
                             {"densenet121 block2 3x3", 128, 28, 32, 3, 1, 1},
                             {"efficientnet expand", 24, 56, 144, 1, 1, 1},
                             {"depthwise 3x3 s1 144x56", 144, 56, 144, 3, 1, 144},
                             {"depthwise 5x5 s1 240x28", 240, 28, 240, 5, 1, 240},
                             {"depthwise 3x3 s1 32x112", 32, 112, 32, 3, 1, 32},
                             {"depthwise 3x3 s2 96x112", 96, 112, 96, 3, 2, 96},
                             {"depthwise 3x3 s1 480x14", 480, 14, 480, 3, 1, 480},
                             {"depthwise 3x3 s2 240x28", 240, 28, 240, 3, 2, 240},
                             {"depthwise 5x5 s2 144x56", 144, 56, 144, 5, 2, 144},
                             {"depthwise 5x5 s1 672x14", 672, 14, 672, 5, 1, 672},
                             {"depthwise 5x5 s2 672x14", 672, 14, 672, 5, 2, 672},
                             {"depthwise 5x5 s1 960x7", 960, 7, 960, 5, 1, 960},
                             {"depthwise 3x3 s2 16x112", 16, 112, 16, 3, 2, 16},
                             {"depthwise 3x3 s1 88x28", 88, 28, 88, 3, 1, 88},
                             {"depthwise 7x7 s1 96x56", 96, 56, 96, 7, 1, 96},
                             {"depthwise 7x7 s1 192x28", 192, 28, 192, 7, 1, 192},
                             {"depthwise 7x7 s1 384x14", 384, 14, 384, 7, 1, 384},
                             {"depthwise 7x7 s1 768x7", 768, 7, 768, 7, 1, 768}};

struct LastLayer {
  const char* name;
  Shape x, w;
};

const LastLayer kLastLayers[] = {{"resnet50 layer3.1.conv1", {1, 1024, 14, 14}, {256, 1024, 1, 1}},
                                 {"resnet50 layer4.1.conv1", {1, 2048, 7, 7}, {512, 2048, 1, 1}},
                                 {"resnet50 layer4.1.conv2", {1, 512, 7, 7}, {512, 512, 3, 3}},
                                 {"resnet50 layer4.1.conv3", {1, 512, 7, 7}, {2048, 512, 1, 1}},
                                 {"resnet50 fc", {1, 2048, 1, 1}, {1000, 2048, 1, 1}},
                                 {"efficientnet_b0 features.6.1 expand", {1, 192, 7, 7}, {1152, 192, 1, 1}},
                                 {"efficientnet_b0 features.6.1 project", {1, 1152, 7, 7}, {192, 1152, 1, 1}},
                                 {"convnext_tiny features.7.0 expand", {1, 768, 7, 7}, {3072, 768, 1, 1}}};

int64_t batch() {
  const char* const value = std::getenv("FOVEA_BATCH");
  return value ? std::atoll(value) : 16;
}

// One kernel with memory of its own; weights change between runs, as in training.
class Bench {
 public:
  Bench(const Op& op, const std::vector<Type>& inputs, cpu::Candidate candidate) {
    std::vector<backend::Operand> in, out;
    for (const Type& type : inputs) in.push_back(backend::Operand::dense(type));
    const Types results = op.infer(inputs);
    for (const Type& type : results) out.push_back(backend::Operand::dense(type));
    kernel_ = candidate ? candidate({op, in, out}).kernel : cpu::cpu_backend().plan(op, in, out);
    multiply_adds_ = op.cost(inputs, results).multiply_adds;
    std::vector<void*> reads, writes;
    for (const Type& type : inputs) reads.push_back(memory(type.bytes(), 0.5f));
    for (const Type& type : results) writes.push_back(memory(type.bytes(), 0));
    kernel_->bind(reads, writes, memory(kernel_->workspace_bytes(), 0));
  }

  void run(benchmark::State& state) {
    for (auto _ : state) kernel_->run();
    state.SetLabel(kernel_->describe());
    state.counters["multiply_adds"] =
        benchmark::Counter(static_cast<double>(multiply_adds_), benchmark::Counter::kIsIterationInvariantRate);
  }

 private:
  void* memory(size_t bytes, float value) {
    const size_t rounded = (bytes + 64) / 64 * 64;
    memory_.emplace_back(std::aligned_alloc(64, rounded), std::free);
    std::fill_n(static_cast<float*>(memory_.back().get()), rounded / sizeof(float), value);
    return memory_.back().get();
  }

  std::unique_ptr<backend::Kernel> kernel_;
  int64_t multiply_adds_ = 0;
  std::vector<std::unique_ptr<void, void (*)(void*)>> memory_;
};

void add_layer(const Layer& layer) {
  const int64_t side = layer.kernel / 2;
  const Conv2d forward{{layer.stride, layer.stride}, {side, side, side, side}, layer.groups};
  const Type x{DType::f32, {batch(), layer.channels, layer.size, layer.size}};
  const Type w{DType::f32, {layer.out, layer.channels / layer.groups, layer.kernel, layer.kernel}};
  const Type y = infer(forward, std::vector{x, w})[0];
  const Conv2dInputGrad input_grad{forward.stride, forward.padding, forward.groups, {layer.size, layer.size}};
  const Conv2dWeightGrad weight_grad{forward.stride, forward.padding, forward.groups, {layer.kernel, layer.kernel}};
  const bool depthwise = layer.groups > 1, winograd = !depthwise && layer.kernel == 3 && layer.stride == 1;
  const auto add = [&](const char* what, const Op& op, const std::vector<Type>& inputs, cpu::Candidate own, cpu::Candidate library) {
    const auto add_one = [&](const std::string& name, cpu::Candidate candidate) {
      benchmark::RegisterBenchmark((std::string(layer.name) + "/" + name).c_str(),
                                   [=](benchmark::State& state) { Bench(op, inputs, candidate).run(state); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    };
    if (!depthwise && !winograd) return add_one(what, nullptr);
    add_one(std::string(what) + "/own", own);
    add_one(std::string(what) + "/library", library);
  };
  add("forward", forward, {x, w}, winograd ? cpu::plan_conv2d_winograd : cpu::plan_conv2d_depthwise, cpu::plan_conv2d_onednn);
  const FusedConv2d fused{forward.stride, forward.padding, forward.groups, true, false, ActivationKind::silu};
  if (depthwise)
    add("forward_silu", fused, {x, w, {DType::f32, {1, layer.out, 1, 1}}}, cpu::plan_fused_conv2d_depthwise, cpu::plan_fused_conv2d_onednn);
  add("input_grad", input_grad, {w, y}, winograd ? cpu::plan_conv2d_input_grad_winograd : cpu::plan_conv2d_input_grad_depthwise,
      cpu::plan_conv2d_input_grad_onednn);
  add("weight_grad", weight_grad, {x, y}, winograd ? cpu::plan_conv2d_weight_grad_winograd : cpu::plan_conv2d_weight_grad_depthwise,
      cpu::plan_conv2d_weight_grad_onednn);
}

// Kernels with constant weights, as many as fill the caches of a core; they run in turns.
class LastLayerBench {
 public:
  LastLayerBench(const Op& op, const Type& x, const Type& w, cpu::Candidate candidate) {
    constexpr size_t kWeightBytes = size_t{64} << 20;
    std::vector<backend::Operand> in{backend::Operand::dense(x), backend::Operand::dense(w)};
    in[1].constant = true;
    const Type y = op.infer(std::vector{x, w})[0];
    const std::vector<backend::Operand> out{backend::Operand::dense(y)};
    multiply_adds_ = op.cost(std::vector{x, w}, std::vector{y}).multiply_adds;
    const std::vector<float> weights(static_cast<size_t>(w.elements()), 0.5f);
    void* const pixels = memory(x.bytes());
    void* const results = memory(y.bytes());
    for (size_t taken = 0; taken < kWeightBytes;) {
      cpu::Planned planned = candidate({op, in, out});
      if (!planned.kernel) {
        refusal_ = planned.refusal;
        return;
      }
      const size_t bytes = planned.kernel->packed_bytes(1);
      void* const packed = memory(bytes);
      planned.kernel->pack(1, weights.data(), packed);
      planned.kernel->bind(std::vector<void*>{pixels, packed}, std::vector<void*>{results}, memory(planned.kernel->workspace_bytes()));
      kernels_.push_back(std::move(planned.kernel));
      taken += bytes;
    }
  }

  void run(benchmark::State& state) {
    if (kernels_.empty()) return state.SkipWithError(refusal_.c_str());
    size_t next = 0;
    for (auto _ : state) kernels_[next++ % kernels_.size()]->run();
    state.SetLabel(kernels_[0]->describe());
    state.counters["multiply_adds"] =
        benchmark::Counter(static_cast<double>(multiply_adds_), benchmark::Counter::kIsIterationInvariantRate);
  }

 private:
  void* memory(size_t bytes) { return memory_.emplace_back(zeroed_memory(bytes)).get(); }

  std::vector<std::unique_ptr<backend::Kernel>> kernels_;
  std::string refusal_;
  int64_t multiply_adds_ = 0;
  std::vector<std::shared_ptr<std::byte>> memory_;
};

void add_last_layer(const LastLayer& layer) {
  const int64_t side = layer.w[3] / 2;
  for (DType dtype : {DType::f32, DType::bf16})
    for (bool own : {true, false}) {
      const std::string name = std::string(layer.name) + "/" + to_string(dtype) + (own ? "/own" : "/library");
      const cpu::Candidate library = layer.x.width() > 1 ? cpu::plan_conv2d_onednn : cpu::plan_conv2d_matmul;
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State& state) {
                                     LastLayerBench(Conv2d{{1, 1}, {side, side, side, side}, 1}, {dtype, layer.x}, {DType::f32, layer.w},
                                                    own ? cpu::plan_conv2d_few_pixels : library)
                                         .run(state);
                                   })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
}

}  // namespace
}  // namespace fovea

int main(int argc, char** argv) {
  for (const fovea::Layer& layer : fovea::kLayers) fovea::add_layer(layer);
  for (const fovea::LastLayer& layer : fovea::kLastLayers) fovea::add_last_layer(layer);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
