#include "base/team.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"

namespace fovea {
namespace {

double processor_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec); };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

TEST(Team, DoesEveryPartOnce) {
  for (int size : {1, 2, 3, 7, 32}) {
    std::vector<std::atomic<int>> done(static_cast<size_t>(size));
    run_team(size, [&](int rank) {
      EXPECT_TRUE(in_team());
      ++done[static_cast<size_t>(rank)];
    });
    EXPECT_FALSE(in_team());
    for (const auto& count : done) EXPECT_EQ(count, 1) << "of " << size;
  }
}

TEST(Team, WhatAPartThrowsArrives) {
  for (int thrower : {0, 2, 6})
    for (int round = 0; round < 20; ++round) {
      std::atomic<int> running{0};
      EXPECT_THROW(run_team(7,
                            [&](int rank) {
                              ++running;
                              if (rank == thrower) {
                                --running;
                                throw std::bad_alloc();
                              }
                              --running;
                            }),
                   std::bad_alloc);
      EXPECT_EQ(running, 0);
      EXPECT_FALSE(in_team());
    }
  EXPECT_THROW(parallel_for(100, 1, [](int64_t begin, int64_t) { throw std::runtime_error(begin == 0 ? "first" : "other"); }),
               std::runtime_error);
  int64_t sum = 0;  // and the next loop runs as ever
  parallel_for(1, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
  EXPECT_EQ(sum, 1);
}

TEST(Team, HasNoSizeThatNothingCanCompute) {
  const int before = threads();
  for (int count : {0, -1, 5000}) {
    try {
      set_threads(count);
      ADD_FAILURE() << count << " threads";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find(std::to_string(count) + " threads"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(threads(), before);
}

TEST(Team, BelongsToItsCaller) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 6; ++caller)
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 200; ++round) {
        int64_t sums[4] = {};
        on_cores(1 + caller % 3, [&] {
          run_team(4, [&](int rank) {
            for (int64_t i = 0; i < 100; ++i) sums[rank] += i * (caller + rank);
          });
        });
        for (int rank = 0; rank < 4; ++rank) wrong += sums[rank] != 4950 * (caller + rank) ? 1 : 0;
      }
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Team, LoopsInsideItRunWhereTheyAre) {
  run_team(3, [&](int) {
    const auto here = std::this_thread::get_id();
    int64_t calls = 0, sum = 0;
    parallel_for(1000, 1, [&](int64_t begin, int64_t end) {
      EXPECT_EQ(std::this_thread::get_id(), here);
      ++calls;
      sum += end - begin;
    });
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(sum, 1000);
  });
}

TEST(Team, WhatAFunctionOnCoresThrowsIsThrown) {
  for (int count : {1, 2, 5}) EXPECT_THROW(on_cores(count, [] { throw std::runtime_error("no"); }), std::runtime_error);
  int result = 0;
  on_cores(2, [&] { on_cores(1, [&] { on_cores(2, [&] { result = 3; }); }); });
  EXPECT_EQ(result, 3);
}

#if defined(__x86_64__)
TEST(Team, LoopsOfUnevenItemsStopWithTheFirstThatThrows) {
  constexpr int64_t kItems = 10000, kFirst = 7;
  std::vector<std::atomic<int>> done(kItems);
  for (int i = 0; i < 20; ++i) {
    for (auto& item : done) item = 0;
    try {
      parallel_each(kItems, [&](int64_t item) {
        ++done[static_cast<size_t>(item)];
        if (item >= kFirst) throw item;
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const int64_t item) {
      EXPECT_EQ(item, kFirst);
    }
    int64_t items = 0;
    for (const auto& item : done) items += item;
    EXPECT_GT(items, kFirst);
    EXPECT_LE(items, kFirst + threads());  // each thread ends with the first of its own that throws
  }
}

TEST(Team, DenormalsAreZeroOnCoresAlone) {
  const auto halves = [](int size) {
    std::atomic<int> kept{0};
    run_team(size, [&](int) {
      volatile float least = std::numeric_limits<float>::min();
      kept += least / 2 > 0 ? 1 : 0;
    });
    return kept.load();
  };
  for (int round = 0; round < 20; ++round) {
    on_cores(2, [&] { EXPECT_EQ(halves(2), 0); });
    volatile float least = std::numeric_limits<float>::min();
    EXPECT_GT(least / 2, 0);
  }
}
#endif

// A thread that waits for work takes a core from whoever has some.
TEST(Team, SleepsWhenThereIsNothingToDo) {
  constexpr int kRounds = 50;
  constexpr auto kPause = std::chrono::milliseconds(5);
  std::atomic<int> done{0};
  const auto work = [&] { run_team(threads(), [&](int) { ++done; }); };
  work();
  const double before = processor_seconds();
  for (int round = 0; round < kRounds; ++round) {
    work();
    std::this_thread::sleep_for(kPause);
  }
  const double microseconds = 1e6 * (processor_seconds() - before) / kRounds;
  std::printf("%.0f microseconds of processor time for an empty team and a pause of 5 ms\n", microseconds);
  EXPECT_LE(microseconds, 300);
}

}  // namespace
}  // namespace fovea
