// Which fovea this is. The build reads the numbers from here.
#pragma once

#include <fovea/api.h>

#define FOVEA_VERSION_MAJOR 0
#define FOVEA_VERSION_MINOR 1
#define FOVEA_VERSION_PATCH 0

#define FOVEA_VERSION_TEXT_OF(major, minor, patch) #major "." #minor "." #patch
#define FOVEA_VERSION_TEXT(major, minor, patch) FOVEA_VERSION_TEXT_OF(major, minor, patch)
// "0.1.0": of the headers.
#define FOVEA_VERSION FOVEA_VERSION_TEXT(FOVEA_VERSION_MAJOR, FOVEA_VERSION_MINOR, FOVEA_VERSION_PATCH)

namespace fovea {

// FOVEA_VERSION of the library that the program runs with.
FOVEA_API const char* version();

}  // namespace fovea
