// From picture files to a normalized batch on one core: decode, resize, crop, normalize, as published weights are measured with.
//
//   build/bench/pictures photo.jpg another.png --benchmark_min_time=2
//
// Each picture twice: with every pixel, and decoded fast ("FILE fast").
#include <benchmark/benchmark.h>
#include <fovea/image.h>

#include <string>
#include <vector>

#include "image/fit.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::string file = argv[i];
    for (const fovea::Decode decode : {fovea::Decode::exact, fovea::Decode::fast}) {
      benchmark::RegisterBenchmark((file + (decode == fovea::Decode::fast ? " fast" : "")).c_str(),
                                   [file, decode](benchmark::State& state) {
                                     fovea::Preprocessing preprocessing;
                                     preprocessing.decode = decode;
                                     std::vector<float> batch(static_cast<size_t>(3 * preprocessing.height * preprocessing.width));
                                     for (auto _ : state) {
                                       fovea::image::normalize_into(fovea::read_image(file, preprocessing), preprocessing, batch.data());
                                       benchmark::DoNotOptimize(batch.data());
                                     }
                                   })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
  benchmark::RunSpecifiedBenchmarks();
}
