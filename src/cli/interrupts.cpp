#include "cli/interrupts.h"

#include <atomic>
#include <csignal>

namespace fovea::cli {
namespace {

// The system calls the handler on whichever thread it likes, so that what it writes is read on another one.
std::atomic<bool> came{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // else no handler may write to it

}  // namespace

void watch_interrupts() {
  came = false;
  struct sigaction action {};
  action.sa_handler = [](int) { came = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return came; }

}  // namespace fovea::cli
