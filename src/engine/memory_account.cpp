#include "engine/memory_account.h"

#include "base/error.h"
#include "base/process_memory.h"

namespace fovea::engine {
namespace {

size_t difference(size_t a, size_t b) { return a > b ? a - b : 0; }

}  // namespace

MemoryAccount::MemoryAccount(size_t limit, size_t present) : limit_(limit) {
  forget_peak();
  before_ = difference(resident_bytes(), present);
}

void MemoryAccount::measure_rest(size_t held) {
  if (!rest_) rest_ = difference(resident_bytes(), before_ + held);
}

size_t MemoryAccount::planned(size_t accounted) const { return rest_.value_or(0) + accounted; }

size_t MemoryAccount::left_for_arena(size_t accounted) const { return limit_ > 0 ? difference(limit_, planned(accounted)) : SIZE_MAX; }

void MemoryAccount::require_within_limit(size_t planned, int64_t batch, const std::string& model) const {
  constexpr size_t kMegabyte = 1'000'000;
  if (limit_ > 0 && planned > limit_)
    fail(ErrorKind::usage, "{} MB of memory are allowed, a batch of {} of {} takes {} MB at least", limit_ / kMegabyte, batch, model,
         (planned + kMegabyte - 1) / kMegabyte);
}

size_t MemoryAccount::measured() const { return difference(peak_resident_bytes(), before_); }

}  // namespace fovea::engine
