// Numbers too small for their full precision cost tens of cycles each, and no network means them.
#pragma once

#include <cstdint>

namespace fovea {

// Denormal inputs and results count as zero on this thread while it lives (x86: FTZ and DAZ; elsewhere nothing).
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint32_t saved_ = 0;
};

// The same on this thread for good.
void flush_denormals();

}  // namespace fovea
