// How many cores fovea uses.
#pragma once

#include <fovea/api.h>

namespace fovea {

// For everything in this process; by default the cores that it may run on, in a container with a quota (cgroup v2) as many as that is
// worth. Call it before loading models: what is compiled for one count keeps to it. The same count gives the same bits. Both may be
// called on any thread at any time. set_threads throws Error(usage) for fewer than 1, and for so many (64 and more, by the cores) that they
// would only wait for each other.
FOVEA_API void set_threads(int count);
FOVEA_API int threads();

}  // namespace fovea
