// Convolutions of ResNet-50, VGG-16, DenseNet-121, EfficientNet, MobileNetV3 and ConvNeXt on the CPU backend, forward and both gradients,
// with multiply-adds a second; depthwise ones and 3x3 ones of stride 1 by own kernels and by the library's.
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

}  // namespace
}  // namespace fovea

int main(int argc, char** argv) {
  for (const fovea::Layer& layer : fovea::kLayers) fovea::add_layer(layer);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
