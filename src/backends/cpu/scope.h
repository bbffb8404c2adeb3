// What holds on the calling thread and on the OpenMP workers while a kernel runs.
#pragma once

#include <cstdint>

namespace fovea::cpu {

// Denormal inputs and results count as zero while it lives (x86: FTZ and DAZ; elsewhere nothing).
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint32_t saved_ = 0;
};

// On the thread that plans or runs a kernel: denormals off here and on the workers, and OpenMP teams of the size that the kernel is planned
// for (oneDNN sizes its scratch memory by it, and OpenMP keeps that number per calling thread).
class ComputeScope {
 public:
  explicit ComputeScope(int threads);
  ~ComputeScope();
  ComputeScope(const ComputeScope&) = delete;
  ComputeScope& operator=(const ComputeScope&) = delete;

 private:
  FlushDenormals flush_;
  int team_, outer_team_;
};

}  // namespace fovea::cpu
