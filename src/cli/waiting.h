// How the compute threads wait for one another.
#pragma once

namespace fovea::cli {

// GNU OpenMP's threads watch for milliseconds for the others before they sleep: the fastest way on a machine that does nothing else, and
// many times slower where other processes want the same cores, the program's own threads that decode pictures among them. How long they
// watch is read from the environment when the library is loaded, before main(), so this starts the program once more with GOMP_SPINCOUNT
// set, which takes a millisecond or two. It does nothing where GOMP_SPINCOUNT or OMP_WAIT_POLICY is set, and so not a second time.
void shorten_waiting(char** argv);

}  // namespace fovea::cli
