// The one way fovea runs loops on several cores (base/team.h).
#pragma once

#include <fovea/threads.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <type_traits>

namespace fovea {

namespace detail {
// Calls body(context, begin, end) once a thread on static, equal ranges of [0, count): the ranges depend on count and threads() alone.
void parallel_ranges(int64_t count, int64_t grain, void (*body)(void*, int64_t, int64_t), void* context);

// What `number` holds; where that is 0 it becomes first(), unless another thread has set it meanwhile.
template <class First>
int value_or_first(std::atomic<int>& number, First&& first) {
  int value = number;
  if (value != 0) return value;
  const int found = first();
  return number.compare_exchange_strong(value, found) ? found : value;
}

// Of several failures, that of the least number.
class FirstFailure {
 public:
  // Called from a handler, by any thread.
  void note(int64_t number) {
    const std::lock_guard lock(mutex_);
    if (failure_ && number_ < number) return;
    failure_ = std::current_exception();
    number_ = number;
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr failure_;
  int64_t number_ = 0;
};
}  // namespace detail

// While it lives, what the calling thread plans is for so many cores: threads() says so to it.
class CoresScope {
 public:
  explicit CoresScope(int count);  // 0: as it is
  ~CoresScope();
  CoresScope(const CoresScope&) = delete;
  CoresScope& operator=(const CoresScope&) = delete;

 private:
  int outer_;
};

// Runs body(begin, end) over disjoint ranges that cover [0, count), each of at least `grain` items where possible. Allocates nothing.
// What a body throws arrives here, while other ranges may be left out (base/team.h). Called from inside another one's body it runs in the
// calling thread alone.
template <class Body>
void parallel_for(int64_t count, int64_t grain, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  detail::parallel_ranges(
      count, grain, [](void* context, int64_t begin, int64_t end) { (*static_cast<Plain*>(context))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// Calls body(i) once for each i in [0, count), on threads() threads that each take the next one: for items of unequal cost. The body
// computes in its thread alone. Once one throws, no further items are taken, and when those in work are done, what the first of them threw
// is thrown here: it is the same whatever the threads do, for all items before it were taken.
template <class Body>
void parallel_each(int64_t count, Body&& body) {
  std::atomic<int64_t> next{0};
  detail::FirstFailure failure;
  parallel_for(std::min<int64_t>(count, threads()), 1, [&](int64_t, int64_t) {
    for (int64_t i = next++; i < count; i = next++) {
      try {
        body(i);
      } catch (...) {
        failure.note(i);
        next = count;
      }
    }
  });
  failure.rethrow();
}

}  // namespace fovea
