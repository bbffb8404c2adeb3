// The backends that every case runs on: a new one adds a line here and nowhere else.
#pragma once

#include <vector>

#include "backends/reference/reference.h"
#ifndef FOVEA_TEST_WITHOUT_CPU
#include "backends/cpu/cpu.h"
#endif

namespace fovea::testing {

inline std::vector<const backend::Backend*> backends() {
  return {
      &reference::reference_backend(),
#ifndef FOVEA_TEST_WITHOUT_CPU
      &cpu::cpu_backend(),
#endif
  };
}

}  // namespace fovea::testing
