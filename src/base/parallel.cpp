#include "base/parallel.h"

#include <algorithm>

#include "base/cores.h"
#include "base/error.h"
#include "base/team.h"

namespace fovea {
namespace {

std::atomic<int> thread_count{0};   // 0: not set yet
thread_local int scoped_count = 0;  // 0: no CoresScope

}  // namespace

namespace {

// More than so many on a core only wait for each other.
int most_threads() { return std::max(64, 8 * available_cores()); }

}  // namespace

void set_threads(int count) {
  if (count < 1 || count > most_threads())
    fail(ErrorKind::usage, "{} threads, 1 to {} can be had (this process may use {} {})", count, most_threads(), available_cores(),
         available_cores() == 1 ? "core" : "cores");
  thread_count = count;
}

int threads() {
  if (scoped_count > 0) return scoped_count;
  return detail::value_or_first(thread_count, [] { return available_cores(); });
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
  if (team == 1 || in_team()) return body(context, 0, count);
  run_team(team, [=](int64_t rank) { body(context, count * rank / team, count * (rank + 1) / team); });
}

}  // namespace detail
}  // namespace fovea
