// The threads that compute: those of the runtime that oneDNN was built for, so that a process has them once. TBB's (team_tbb.cpp) or GNU
// OpenMP's (team_openmp.cpp); CMake takes the one that fits.
#pragma once

#include <memory>
#include <type_traits>

namespace fovea {

namespace detail {
void do_parts(int count, void (*body)(void* context, int rank), void* context);
void call_on_cores(int count, void (*body)(void* context), void* context);
}  // namespace detail

// Calls body(rank) for every rank in [0, size) on as many threads as come, the calling one among them, and returns when all are done. A
// thread may do the part of another that is late, so bodies do not wait for each other. Where bodies throw, parts that have not begun are
// left out, and one of the exceptions is thrown here once no part runs any more.
template <class Body>
void run_team(int size, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  detail::do_parts(
      size, [](void* context, int rank) { (*static_cast<Plain*>(context))(rank); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

// Whether this thread is doing a team's part: what it computes meanwhile is for it alone.
bool in_team();

// Calls body() on this thread. What oneDNN plans and runs in it takes `count` cores, and denormals count as zero meanwhile, on whatever
// thread. What the body throws is thrown.
template <class Body>
void on_cores(int count, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  detail::call_on_cores(
      count, [](void* context) { (*static_cast<Plain*>(context))(); }, const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

}  // namespace fovea
