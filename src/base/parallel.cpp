#include "base/parallel.h"

#include <algorithm>
#include <atomic>

#include "base/cores.h"
#include "base/openmp.h"

namespace fovea {
namespace {

std::atomic<int> thread_count{0};   // 0: not set yet
thread_local int scoped_count = 0;  // 0: no CoresScope

}  // namespace

void set_threads(int count) {
  thread_count = std::max(1, count);
  omp_set_dynamic(0);
  omp_set_num_threads(thread_count);
}

int threads() {
  if (scoped_count > 0) return scoped_count;
  int count = thread_count;
  if (count == 0) {
    count = available_cores();
    set_threads(count);
  }
  return count;
}

CoresScope::CoresScope(int count) : outer_(scoped_count) {
  if (count > 0) scoped_count = count;
}

CoresScope::~CoresScope() { scoped_count = outer_; }

namespace detail {

void parallel_ranges(int64_t count, int64_t grain, void (*body)(void*, int64_t, int64_t), void* context) {
  if (count <= 0) return;
  const int64_t most = std::max<int64_t>(1, count / std::max<int64_t>(1, grain));
  const int team = static_cast<int>(std::min<int64_t>(threads(), most));
  if (team == 1 || omp_in_parallel()) return body(context, 0, count);
  run_team(team, [=] {
    const int64_t size = omp_get_num_threads(), rank = omp_get_thread_num();
    body(context, count * rank / size, count * (rank + 1) / size);
  });
}

}  // namespace detail
}  // namespace fovea
