// What the system counts as this process's memory, its libraries included.
#pragma once

#include <cstddef>

namespace fovea {

size_t resident_bytes();
// The most since the process began, or since `forget_peak`.
size_t peak_resident_bytes();
// Where the system allows it.
void forget_peak();

}  // namespace fovea
