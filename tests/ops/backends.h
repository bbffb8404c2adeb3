// The backends that every case runs on: a new one adds a line here and nowhere else.
#pragma once

#include <vector>

#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"

namespace fovea::testing {

inline std::vector<const backend::Backend*> backends() { return {&reference::reference_backend(), &cpu::cpu_backend()}; }

}  // namespace fovea::testing
