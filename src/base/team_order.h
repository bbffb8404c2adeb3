// What orders a team: all that its caller did before happens before every part, and every part before what the caller does next. The
// runtime sees to both, in code that ThreadSanitizer does not watch, so that under it a team says so itself. In other builds these
// functions do nothing.
#pragma once

#ifdef FOVEA_THREAD_SANITIZED
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace fovea::detail {

class TeamOrder {
 public:
#ifdef FOVEA_THREAD_SANITIZED
  void before_parts() { __tsan_release(&before_); }  // the caller calls it
  void part_begins() { __tsan_acquire(&before_); }   // the thread of a part does
  void part_ends() { __tsan_release(&after_); }
  void after_parts() { __tsan_acquire(&after_); }

 private:
  char before_ = 0, after_ = 0;  // their addresses are what is acquired and released
#else
  void before_parts() {}
  void part_begins() {}
  void part_ends() {}
  void after_parts() {}
#endif
};

}  // namespace fovea::detail
