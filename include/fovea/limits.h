// What a process takes from others, at most.
#pragma once

#include <fovea/api.h>

#include <cstdint>

namespace fovea {

// The most pixels that a picture may have, for everything in this process: 178,956,970 unless told otherwise, and never more. What a file
// says of its size is held against it before anything of that size is there. Throws Error(usage) for fewer than 1.
FOVEA_API void set_max_pixels(int64_t pixels);

}  // namespace fovea
