#include "base/process_memory.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace fovea {
namespace {

size_t status_bytes(std::string_view what) {
  constexpr size_t kUnit = 1024;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(what)) return kUnit * std::strtoull(line.c_str() + what.size(), nullptr, 10);
  return 0;
}

}  // namespace

size_t resident_bytes() { return status_bytes("VmRSS:"); }

size_t peak_resident_bytes() { return status_bytes("VmHWM:"); }

void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace fovea
