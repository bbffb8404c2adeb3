#include "calls.h"

#include <pthread.h>

namespace fovea::python {
namespace {

std::atomic<bool> computing = false, forked = false;

void in_the_child() {
  if (computing.load()) forked = true;
}

}  // namespace

void begin_computing() {
  if (forked.load())
    throw Error(
        ErrorKind::usage,
        "this process was forked from one in which fovea had computed, and has none of its threads. Start processes by \"spawn\" or "
        "\"forkserver\" (multiprocessing.get_context(\"spawn\")), or use fovea in the children alone");
  static const bool watched = pthread_atfork(nullptr, nullptr, in_the_child) == 0;
  static_cast<void>(watched);
  computing = true;
}

}  // namespace fovea::python
