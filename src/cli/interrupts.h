// The interrupt key (SIGINT) and a request to end (SIGTERM).
#pragma once

namespace fovea::cli {

// Whether either came since `watch_interrupts`; of one that comes twice the second ends the program.
void watch_interrupts();
bool interrupted();

}  // namespace fovea::cli
