// GNU's OpenMP runtime, called by its functions. A compiler's own `#pragma omp` would bring that compiler's runtime into the process,
// beside the one that oneDNN runs on; these are the same calls from any of them.
#include <atomic>
#include <exception>
#include <utility>

#include "base/denormals.h"
#include "base/team.h"
#include "base/team_order.h"

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
namespace {

// OpenMP takes a team of one thread for none.
thread_local bool at_work = false;

// No exception may leave a parallel region: the first one is kept.
struct Team {
  int size;
  void (*body)(void*, int);
  void* context;
  detail::TeamOrder order = {};
  std::atomic<bool> failed{false};
  std::exception_ptr failure{};
};

void do_part(Team& team, int rank) noexcept {
  try {
    if (!team.failed) team.body(team.context, rank);
  } catch (...) {
    if (!team.failed.exchange(true)) team.failure = std::current_exception();
  }
}

// OpenMP keeps the size of teams for each calling thread.
class TeamSize {
 public:
  explicit TeamSize(int count) : count_(count), outer_(omp_get_max_threads()) {
    if (outer_ == count_) return;
    omp_set_dynamic(0);
    omp_set_num_threads(count_);
  }
  ~TeamSize() {
    if (outer_ != count_) omp_set_num_threads(outer_);
  }
  TeamSize(const TeamSize&) = delete;
  TeamSize& operator=(const TeamSize&) = delete;

 private:
  int count_, outer_;
};

}  // namespace

bool in_team() { return at_work || omp_in_parallel() != 0; }

namespace detail {

void do_parts(int size, void (*body)(void*, int), void* context) {
  Team team{size, body, context};
  team.order.before_parts();
  GOMP_parallel(
      [](void* all) noexcept {
        Team& one = *static_cast<Team*>(all);
        const bool outer = std::exchange(at_work, true);
        one.order.part_begins();
        for (int rank = omp_get_thread_num(); rank < one.size; rank += omp_get_num_threads()) do_part(one, rank);
        one.order.part_ends();
        at_work = outer;
      },
      &team, static_cast<unsigned>(size), 0);
  team.order.after_parts();
  if (team.failure) std::rethrow_exception(team.failure);
}

void call_on_cores(int count, void (*body)(void*), void* context) {
  // Workers belong to the thread that starts them. Those that exist are switched here, once, and stay so; those that OpenMP starts later,
  // because a team grew, inherit the mode of the calling thread.
  thread_local int prepared = 0;
  const FlushDenormals flush;
  const TeamSize size(count);
  if (prepared != count && !in_team()) {
    do_parts(
        count, [](void*, int) { flush_denormals(); }, nullptr);
    prepared = count;
  }
  body(context);
}

}  // namespace detail
}  // namespace fovea
