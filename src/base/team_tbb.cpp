#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <map>
#include <memory>
#include <utility>

#include "base/denormals.h"
#include "base/team.h"

namespace fovea {
namespace {

thread_local bool at_work = false;
thread_local int cores = 0;  // of the arena that this thread is in; 0: none of these

// Of the calling thread alone: callers never wait for a place in the arena of another one.
tbb::task_arena& own_arena(int count) {
  thread_local std::map<int, std::unique_ptr<tbb::task_arena>> arenas;
  std::unique_ptr<tbb::task_arena>& arena = arenas[count];
  if (!arena) {
    arena = std::make_unique<tbb::task_arena>(count, 1);
    const FlushDenormals flush;  // its threads take the mode that is on now
    arena->initialize();
  }
  return *arena;
}

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

}  // namespace

bool in_team() { return at_work; }

namespace detail {

void call_on_cores(int count, void (*body)(void*), void* context) {
  const FlushDenormals flush;
  if (cores == count) return body(context);
  const Scoped inside(cores, count);
  own_arena(count).execute([=] { body(context); });
}

void do_parts(int size, void (*body)(void*, int), void* context) {
  const auto all = [=] {
    // The threads' mode for denormals is the calling one's.
    tbb::task_group_context mode(tbb::task_group_context::isolated,
                                 tbb::task_group_context::default_traits | tbb::task_group_context::fp_settings);
    tbb::parallel_for(
        0, size, 1,
        [=](int rank) {
          const Scoped working(at_work, true);
          body(context, rank);
        },
        tbb::static_partitioner(), mode);
  };
  if (cores >= size) return all();
  const Scoped inside(cores, size);
  own_arena(size).execute(all);
}

}  // namespace detail
}  // namespace fovea
