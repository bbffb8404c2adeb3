// Convolutions of ResNet-50 and EfficientNet on the CPU backend, forward and both gradients, batch 16, with multiply-adds a second.
//
//   build/bench/convolution --benchmark_filter=weight_grad
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/cpu.h"
#include "ops/conv2d.h"

namespace fovea {
namespace {

struct Layer {
  const char* name;
  int64_t channels, size, out, kernel, stride, groups;
};

constexpr int64_t kBatch = 16;
constexpr Layer kLayers[] = {{"resnet50 conv1", 3, 224, 64, 7, 2, 1},
                             {"resnet50 layer1 1x1", 256, 56, 64, 1, 1, 1},
                             {"resnet50 layer1 3x3", 64, 56, 64, 3, 1, 1},
                             {"resnet50 layer2 stride", 128, 56, 128, 3, 2, 1},
                             {"resnet50 layer3 3x3", 256, 14, 256, 3, 1, 1},
                             {"resnet50 layer4 1x1", 512, 7, 2048, 1, 1, 1},
                             {"efficientnet expand", 24, 56, 144, 1, 1, 1},
                             {"efficientnet depthwise 3x3", 144, 56, 144, 3, 1, 144},
                             {"efficientnet depthwise 5x5", 240, 28, 240, 5, 1, 240},
                             {"efficientnet depthwise stride", 144, 56, 144, 5, 2, 144}};

// One kernel with memory of its own; weights change between runs, as in training.
class Bench {
 public:
  Bench(const Op& op, const std::vector<Type>& inputs) {
    std::vector<backend::Operand> in, out;
    for (const Type& type : inputs) in.push_back(backend::Operand::dense(type));
    const Types results = op.infer(inputs);
    for (const Type& type : results) out.push_back(backend::Operand::dense(type));
    kernel_ = cpu::cpu_backend().plan(op, in, out);
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
  const Type x{DType::f32, {kBatch, layer.channels, layer.size, layer.size}};
  const Type w{DType::f32, {layer.out, layer.channels / layer.groups, layer.kernel, layer.kernel}};
  const Type y = infer(forward, std::vector{x, w})[0];
  const Conv2dInputGrad input_grad{forward.stride, forward.padding, forward.groups, {layer.size, layer.size}};
  const Conv2dWeightGrad weight_grad{forward.stride, forward.padding, forward.groups, {layer.kernel, layer.kernel}};
  const auto add = [&](const char* what, const Op& op, const std::vector<Type>& inputs) {
    benchmark::RegisterBenchmark((std::string(layer.name) + "/" + what).c_str(),
                                 [op, inputs](benchmark::State& state) { Bench(op, inputs).run(state); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  };
  add("forward", forward, {x, w});
  add("input_grad", input_grad, {w, y});
  add("weight_grad", weight_grad, {x, y});
}

}  // namespace
}  // namespace fovea

int main(int argc, char** argv) {
  for (const fovea::Layer& layer : fovea::kLayers) fovea::add_layer(layer);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
