// What a process takes beyond what it had.
#include "engine/memory_account.h"

#include <fovea/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "engine/executable.h"

namespace fovea::engine {
namespace {

constexpr size_t kMegabyte = 1'000'000;

// The system's own, written to.
class Pages {
 public:
  explicit Pages(size_t bytes) : bytes_(bytes), data_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    std::memset(data_, 1, bytes);
  }
  ~Pages() { munmap(data_, bytes_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  size_t size() const { return bytes_; }

 private:
  size_t bytes_;
  void* data_;
};

TEST(MemoryAccount, TheRestIsMeasuredOnce) {
  MemoryAccount account(1000 * kMegabyte);
  const Pages held(100 * kMegabyte), rest(50 * kMegabyte);
  account.measure_rest(held.size());
  EXPECT_NEAR(static_cast<double>(account.planned(0)), 50e6, 5e6);
  EXPECT_NEAR(static_cast<double>(account.planned(held.size())), 150e6, 5e6);
  EXPECT_NEAR(static_cast<double>(account.left_for_arena(held.size())), 850e6, 5e6);
  const size_t planned = account.planned(0);
  const Pages left_behind(80 * kMegabyte);
  account.measure_rest(held.size());
  EXPECT_EQ(account.planned(0), planned);
  EXPECT_NEAR(static_cast<double>(account.measured()), 230e6, 5e6);
}

TEST(MemoryAccount, WhatIsOverTheLimitIsNamed) {
  const MemoryAccount account(20 * kMegabyte);
  account.require_within_limit(20 * kMegabyte, 8, "resnet18");
  try {
    account.require_within_limit(20 * kMegabyte + 1, 8, "resnet18");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_STREQ(error.what(), "20 MB of memory are allowed, a batch of 8 of resnet18 takes 21 MB at least");
  }
  MemoryAccount().require_within_limit(1000 * kMegabyte, 8, "resnet18");
}

TEST(Arena, TellsWhatItTakes) {
  for (const size_t bytes : {size_t{1000}, 5 * kMegabyte, 9 * kMegabyte, 100 * kMegabyte + 1}) {
    Arena arena;
    arena.reserve(bytes);
    EXPECT_EQ(arena.bytes(), Arena::rounded_up(bytes));
    EXPECT_LE(Arena::rounded_up(Arena::rounded_down(bytes)), bytes);
  }
  Arena arena;
  arena.reserve(64 * kMegabyte);
  madvise(arena.data(), arena.bytes(), MADV_DONTNEED);  // the allocator may have given pages that were written to before
  EXPECT_LT(arena.resident_bytes(), 4 * kMegabyte);
  std::fill_n(arena.data(), 32 * kMegabyte, char{1});
  EXPECT_GE(arena.resident_bytes(), 32 * kMegabyte);
  EXPECT_LT(arena.resident_bytes(), 40 * kMegabyte);
}

}  // namespace
}  // namespace fovea::engine
