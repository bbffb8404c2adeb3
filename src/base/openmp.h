// What fovea calls in GNU's OpenMP runtime. A compiler's own `#pragma omp` would bring that compiler's runtime into the process, beside the
// one that oneDNN runs on; these are the same calls from any of them.
#pragma once

#include <type_traits>

extern "C" {
void omp_set_dynamic(int on);
void omp_set_num_threads(int count);
int omp_get_max_threads();
int omp_get_num_threads();
int omp_get_thread_num();
int omp_in_parallel();
// What g++ makes of a parallel region: body(context) on `size` threads, the calling one among them.
void GOMP_parallel(void (*body)(void*), void* context, unsigned size, unsigned flags);
}

namespace fovea {

// Calls body() on each thread of a team of `size`, and returns when all are done. It must not throw.
template <class Body>
void run_team(int size, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  GOMP_parallel([](void* context) noexcept { (*static_cast<Plain*>(context))(); }, const_cast<void*>(static_cast<const void*>(&body)),
                static_cast<unsigned>(size), 0);
}

}  // namespace fovea
