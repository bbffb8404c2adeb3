#include "api/device.h"

#include "backends/cpu/cpu.h"

namespace fovea {

const backend::Backend& device() { return cpu::cpu_backend(); }

}  // namespace fovea
