#include "backends/cpu/scope.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "base/openmp.h"

namespace fovea::cpu {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kFlush = 0x8040;  // FTZ (bit 15) and DAZ (bit 6) of MXCSR
#endif

void flush_denormals_here() {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | kFlush);
#endif
}

}  // namespace

FlushDenormals::FlushDenormals() {
#if defined(__x86_64__)
  saved_ = _mm_getcsr();
  _mm_setcsr(saved_ | kFlush);
#endif
}

FlushDenormals::~FlushDenormals() {
#if defined(__x86_64__)
  _mm_setcsr((_mm_getcsr() & ~kFlush) | (saved_ & kFlush));
#endif
}

ComputeScope::ComputeScope(int threads) : team_(threads), outer_team_(omp_get_max_threads()) {
  // Workers belong to the thread that starts them. Those that exist are switched here, once; those that OpenMP starts later, because a team
  // grew, inherit the mode of the calling thread, which has it while the scope lives.
  thread_local int prepared = 0;
  if (outer_team_ != team_) {
    omp_set_dynamic(0);
    omp_set_num_threads(team_);
  }
  if (prepared == threads) return;
  run_team(threads, [] { flush_denormals_here(); });
  prepared = threads;
}

ComputeScope::~ComputeScope() {
  if (outer_team_ != team_) omp_set_num_threads(outer_team_);
}

}  // namespace fovea::cpu
