// What a process takes beyond what it had.
#include "engine/memory_account.h"

#include <fovea/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/executable.h"

namespace fovea::engine {
namespace {

constexpr size_t kMegabyte = 1'000'000;

TEST(MemoryAccount, TheRestIsMeasuredOnce) {
  MemoryAccount account(1000 * kMegabyte);
  std::vector<char> held(100 * kMegabyte, 1), rest(50 * kMegabyte, 1);
  account.measure_rest(held.size());
  EXPECT_NEAR(static_cast<double>(account.planned(0)), 50e6, 5e6);
  EXPECT_NEAR(static_cast<double>(account.planned(held.size())), 150e6, 5e6);
  EXPECT_NEAR(static_cast<double>(account.left_for_arena(held.size())), 850e6, 5e6);
  const size_t planned = account.planned(0);
  const std::vector<char> left_behind(80 * kMegabyte, 1);
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
  const size_t before = arena.resident_bytes();
  std::fill_n(arena.data(), 32 * kMegabyte, char{1});
  EXPECT_GE(arena.resident_bytes(), 32 * kMegabyte);
  EXPECT_LT(before, 4 * kMegabyte);
}

}  // namespace
}  // namespace fovea::engine
