// How many cores fovea uses.
#pragma once

namespace fovea {

// For everything in this process; by default the cores that it may run on. Call it before loading models: what is compiled for one count
// keeps to it. The same count gives the same bits.
void set_threads(int count);
int threads();

}  // namespace fovea
