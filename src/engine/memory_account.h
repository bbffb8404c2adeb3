// What a job takes of memory beyond what the process had before it.
//
// Executables, stores and caches say what they will hold before they hold it: that is accounted for. The rest (code that is read in, what
// the library keeps, graphs) is measured once, when the first executables are compiled and not yet prepared. A later measurement would
// count freed blocks that the allocator keeps as part of the job; the address sanitizer keeps most of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace fovea::engine {

class MemoryAccount {
 public:
  // Counts from now on, and forgets the process's peak. `limit`: 0 for none. `present`: bytes of the job that are there already.
  explicit MemoryAccount(size_t limit = 0, size_t present = 0);

  size_t limit() const { return limit_; }
  // `held`: bytes of what is accounted for that lie in memory now. Only the first call measures.
  void measure_rest(size_t held);
  size_t planned(size_t accounted) const;
  // What the limit leaves for an arena beside what else is accounted for; SIZE_MAX without one.
  size_t left_for_arena(size_t accounted) const;
  // Throws Error(usage) where even so much, the least possible, is more than the limit.
  void require_within_limit(size_t planned, int64_t batch, const std::string& model) const;
  // The most that the process had beyond what it had before.
  size_t measured() const;

 private:
  size_t limit_, before_;
  std::optional<size_t> rest_;
};

}  // namespace fovea::engine
