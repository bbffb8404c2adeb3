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

// On the thread that calls `run`: denormals off here and on the workers, and OpenMP teams of the size that the kernel was planned for
// (oneDNN sizes its scratch memory by it, and OpenMP keeps that number per calling thread).
class ComputeScope {
 public:
  explicit ComputeScope(int threads);

 private:
  FlushDenormals flush_;
};

}  // namespace fovea::cpu
