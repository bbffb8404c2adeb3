// What a measured run is given, and how long runs take.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/executable.h"

namespace fovea {

// Random numbers about as large as a normalized picture's.
void fill_bench_image(std::span<float> image);

// The inputs of a training step. A run may overwrite them, so they are written before each one, outside of the time that counts.
class BenchInputs {
 public:
  BenchInputs(engine::Executable& executable, int64_t classes);
  void write(int64_t step);

 private:
  engine::Executable& executable_;
  std::vector<float> image_;
  std::vector<int32_t> labels_;
};

double milliseconds_since(std::chrono::steady_clock::time_point start);

// Milliseconds of one run; its seconds by node are added to `by_node` where that is not empty.
template <class Executable>
double timed_run(Executable& executable, std::span<double> by_node = {}) {
  const auto start = std::chrono::steady_clock::now();
  if (by_node.empty())
    executable.run();
  else
    executable.run_timed(by_node);
  return milliseconds_since(start);
}

// The list is sorted.
double median(std::span<const double> sorted);

}  // namespace fovea
