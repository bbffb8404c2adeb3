// One model, several callers at the same time, each on one core (Predictor): pictures a second of all of them together, and memory.
//
//   build/bench/callers --benchmark_filter=resnet50
#include <benchmark/benchmark.h>
#include <fovea/fovea.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/process_memory.h"

namespace {

const fovea::Predictor& predictor_of(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, fovea::Predictor> predictors;
  const std::lock_guard lock(mutex);
  auto found = predictors.find(name);
  if (found == predictors.end()) {
    predictors.clear();  // memory is that of one network
    fovea::LoadOptions options;
    options.weights = "none";
    found = predictors.emplace(name, fovea::Model::load(name, options).predictor({.threads_per_call = 1})).first;
  }
  return found->second;
}

fovea::Image picture() {
  fovea::Image image{320, 240, std::vector<uint8_t>(size_t{3} * 320 * 240)};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * 7 / 5);
  return image;
}

void predict(benchmark::State& state, const std::string& name) {
  const fovea::Predictor predictor = predictor_of(name);
  const fovea::Image image = picture();
  predictor.predict(image);
  for (auto _ : state) benchmark::DoNotOptimize(predictor.predict(image));
  state.counters["pictures"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  if (state.thread_index() == 0) state.counters["resident_MB"] = static_cast<double>(fovea::resident_bytes()) / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::string name : {"efficientnet_b0", "resnet50", "mobilenet_v3_small"})
    for (const int callers : {1, 2, 4, 8})
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { predict(state, name); })
          ->Threads(callers)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
