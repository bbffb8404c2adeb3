#include "cli/waiting.h"

#include <unistd.h>

#include <cstdlib>

namespace fovea::cli {
namespace {

// Rounds of the watching loop: longer than the gap between two operations, far shorter than a time slice.
constexpr const char* kRounds = "1000";

}  // namespace

void shorten_waiting(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  if (setenv("GOMP_SPINCOUNT", kRounds, 1) != 0) return;
  execv("/proc/self/exe", argv);
  // Where that is not possible the program goes on as it is: slower beside others, otherwise the same.
}

}  // namespace fovea::cli
