#include "cli/interrupts.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace fovea::cli {
namespace {

// The system calls the handler on whichever thread it likes, so that what it writes is read on another one.
std::atomic<int> came{0};  // the signal
std::atomic<bool> watching{false};
static_assert(std::atomic<int>::is_always_lock_free);  // else no handler may write to it

void on_interrupt(int signal) {
  int none = 0;
  if (!watching || !came.compare_exchange_strong(none, signal)) _exit(128 + signal);
}

void install(bool where_ignored) {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN && !where_ignored) continue;  // a command in the background of a script
    action = {};
    action.sa_handler = on_interrupt;
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace

void handle_interrupts() { install(false); }

void watch_interrupts() {
  came = 0;
  watching = true;
  install(true);
}

bool interrupted() { return came != 0; }

int interrupted_status() { return 128 + came; }

void leave_if_interrupted() {
  if (interrupted()) throw Interrupted{};
}

}  // namespace fovea::cli
