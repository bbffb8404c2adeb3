#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/denormals.h"
#include "base/team.h"
#include "base/team_order.h"

namespace fovea {
namespace {

thread_local bool at_work = false;
thread_local int cores = 0;  // of the arena that this thread is in; 0: none of these

// A value for as long as it lives.
template <class T>
class Scoped {
 public:
  Scoped(T& place, T value) : place_(place), outer_(std::exchange(place, value)) {}
  ~Scoped() { place_ = outer_; }
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;

 private:
  T& place_;
  const T outer_;
};

struct Arena {
  explicit Arena(int count) : places(count, 1) {
    const FlushDenormals flush;  // its threads take the mode that is on now
    places.initialize();
  }

  tbb::task_arena places;
  bool entered = false;  // by the thread whose it is
};

// An arena that this thread has not entered. They are the calling thread's alone: callers never wait for a place in the arena of another
// one. In one that it is in already the only other places may be taken by workers, and TBB would hand what is to be called to one of those.
Arena& free_arena(int count) {
  thread_local std::map<int, std::vector<std::unique_ptr<Arena>>> all;
  std::vector<std::unique_ptr<Arena>>& arenas = all[count];
  for (const auto& arena : arenas)
    if (!arena->entered) return *arena;
  return *arenas.emplace_back(std::make_unique<Arena>(count));
}

template <class Body>
void call_in_arena(int count, const Body& body) {
  Arena& arena = free_arena(count);
  const Scoped entered(arena.entered, true);
  const Scoped inside(cores, count);
  arena.places.execute(body);
}

}  // namespace

bool in_team() { return at_work; }

namespace detail {

void call_on_cores(int count, void (*body)(void*), void* context) {
  const FlushDenormals flush;
  if (cores == count) return body(context);
  call_in_arena(count, [=] { body(context); });
}

void do_parts(int size, void (*body)(void*, int), void* context) {
  TeamOrder order;
  order.before_parts();
  const auto all = [&] {
    // The threads' mode for denormals is the calling one's.
    tbb::task_group_context mode(tbb::task_group_context::isolated,
                                 tbb::task_group_context::default_traits | tbb::task_group_context::fp_settings);
    tbb::parallel_for(
        0, size, 1,
        [&](int rank) {
          const Scoped working(at_work, true);
          order.part_begins();
          body(context, rank);
          order.part_ends();
        },
        tbb::static_partitioner(), mode);
  };
  if (cores >= size)
    all();
  else
    call_in_arena(size, all);
  order.after_parts();
}

}  // namespace detail
}  // namespace fovea
