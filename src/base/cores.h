// How many cores this process may use.
#pragma once

#include <string>

namespace fovea {

// The cores that it may run on (its affinity), and no more than its share of their time is worth: a control group's quota (version 2,
// cpu.max, its own and those above it) of one and a half cores counts as two. At least 1. `root` stands before /proc and /sys.
int available_cores(const std::string& root = "");

}  // namespace fovea
