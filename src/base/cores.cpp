#include "base/cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace fovea {
namespace {

int cores_of_affinity() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

// This process's control group of version 2, as a path below the groups' file system: the line "0::PATH" of /proc/self/cgroup.
std::filesystem::path own_group(const std::string& root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);)
    if (line.starts_with("0::/")) return line.substr(4);
  return {};
}

// What "QUOTA PERIOD", in microseconds, allows; "max PERIOD" and a file that is not there allow everything.
double cores_of(const std::filesystem::path& cpu_max) {
  std::ifstream file(cpu_max);
  double quota = 0, period = 0;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : HUGE_VAL;
}

}  // namespace

int available_cores(const std::string& root) {
  const std::filesystem::path top = root + "/sys/fs/cgroup";
  double cores = cores_of_affinity();
  for (std::filesystem::path group = own_group(root);; group = group.parent_path()) {
    cores = std::min(cores, cores_of(top / group / "cpu.max"));
    if (group.empty()) break;
  }
  return std::max(1, static_cast<int>(std::ceil(cores)));
}

}  // namespace fovea
