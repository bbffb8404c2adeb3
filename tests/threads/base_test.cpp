// Teams, the number of threads, files and the log, from several threads.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>

#include "base/atomic_file.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/team.h"
#include "support.h"
#include "support/threads.h"

namespace fovea {
namespace {

// What a caller wrote is there for every part, and what the parts wrote for the caller, without a word from either.
TEST(Teams, AreInOrderWithTheirCaller) {
  std::atomic<int> wrong{0};
  test::at_once(3, [&](int caller) {
    std::vector<int> numbers(7, caller), sums(7);
    for (int round = 0; round < 50; ++round) {
      for (int& number : numbers) ++number;
      run_team(7, [&](int rank) {
        for (const int number : numbers) sums[static_cast<size_t>(rank)] += number - round;
      });
      for (int& sum : sums) wrong += std::exchange(sum, 0) != 7 * (caller + 1) ? 1 : 0;
    }
  });
  EXPECT_EQ(wrong, 0);
}

#ifdef FOVEA_THREAD_SANITIZED
// The order that a team declares is no more than what there is: parts that write to the same place are found.
TEST(TeamsDeathTest, PartsThatMeetAreFound) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto meet = [] {
    int number = 0;
    for (int round = 0; round < 100; ++round) {
      std::atomic<int> here{0};
      run_team(2, [&](int) {
        ++here;
        for (int wait = 0; here < 2 && wait < 1000; ++wait) std::this_thread::yield();
        ++number;
      });
    }
    std::exit(number > 1000);
  };
  EXPECT_EXIT(meet(), testing::ExitedWithCode(66), "data race");
}
#endif

// One inside the other with as many cores as one further out, whose other place is taken meanwhile.
TEST(Teams, OnCoresWithinOnCoresStaysOnItsThread) {
  using Clock = std::chrono::steady_clock;
  const auto caller = std::this_thread::get_id();
  int met = 0, calls = 0, elsewhere = 0;
  for (int round = 0; round < 50 && met < 5; ++round) {
    std::atomic<bool> other_came{false}, done{false};
    on_cores(2, [&] {
      run_team(2, [&](int) {
        const auto until = Clock::now() + std::chrono::milliseconds(20);
        if (std::this_thread::get_id() != caller) {  // stays in its place until the caller is done
          other_came = true;
          while (!done && Clock::now() < until) std::this_thread::yield();
          return;
        }
        while (!other_came && Clock::now() < until) std::this_thread::yield();
        on_cores(1, [&] {
          on_cores(2, [&] {
            ++calls;
            met += other_came && !done ? 1 : 0;
            elsewhere += std::this_thread::get_id() != caller ? 1 : 0;
          });
        });
        done = true;
      });
    });
  }
  EXPECT_GT(calls, 0);
  EXPECT_EQ(elsewhere, 0);
}

TEST(Teams, OnCoresWithinOnCoresFromManyThreads) {
  std::atomic<int> wrong{0};
  test::at_once(4, [&](int thread) {
    const auto here = std::this_thread::get_id();
    for (int round = 0; round < 20; ++round) {
      int sums[3] = {};
      on_cores(2, [&] {
        on_cores(1 + thread % 3, [&] {
          on_cores(2, [&] {
            wrong += std::this_thread::get_id() != here ? 1 : 0;
            run_team(3, [&](int rank) { on_cores(1, [&] { sums[rank] += rank + thread; }); });
          });
        });
      });
      for (int rank = 0; rank < 3; ++rank) wrong += sums[rank] != rank + thread ? 1 : 0;
    }
  });
  EXPECT_EQ(wrong, 0);
}

// Finding the cores takes a while, in which another thread may say how many threads there shall be.
TEST(Threads, WhatIsSetBesideTheFirstQuestionStays) {
  std::atomic<int> number{0};
  EXPECT_EQ(detail::value_or_first(number,
                                   [&] {
                                     number = 3;
                                     return 8;
                                   }),
            3);
  EXPECT_EQ(number, 3);
  number = 0;
  EXPECT_EQ(detail::value_or_first(number, [] { return 8; }), 8);
  EXPECT_EQ(detail::value_or_first(number, [] { return 9; }), 8);
}

TEST(Threads, AreSetWhileLoopsRun) {
  const test::Threads as_before(2);
  std::atomic<int> wrong{0};
  test::at_once(3, [&](int thread) {
    for (int round = 1; round < 60; ++round) {
      if (thread == 0) set_threads(1 + round % 4);
      std::vector<int> touched(100);
      parallel_for(100, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++touched[static_cast<size_t>(i)];
      });
      for (const int times : touched) wrong += times != 1 ? 1 : 0;
      const CoresScope scope(thread + 1);
      wrong += threads() != thread + 1 ? 1 : 0;
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST(Files, OfOneNameAreEachWholeWhoeverWritesThem) {
  const test::TemporaryFolder folder;
  const std::string path = (folder / "file").string();
  constexpr size_t kParts = 20, kPart = 5000;
  std::atomic<int> failed{0};
  test::at_once(4, [&](int thread) {
    for (int round = 0; round < 5; ++round) {
      try {
        AtomicFile file(path);
        for (size_t part = 0; part < kParts; ++part) file.write(std::string(kPart, static_cast<char>('a' + thread)));
        file.commit();
        const std::string text = read_text(path);
        failed += text != std::string(kParts * kPart, text[0]) ? 1 : 0;
      } catch (const Error& error) {
        ++failed;
      }
    }
  });
  EXPECT_EQ(failed, 0);
  int entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder / "")) ++entries;
  EXPECT_EQ(entries, 1) << "partial files are left";
}

// What another process of this one's id left goes while this one writes.
TEST(Files, LeftByAnEarlierProcessGo) {
  const test::TemporaryFolder folder;
  const std::string own = std::to_string(getpid());
  const std::string dead[] = {"file.partial-" + own + "-123456789", "file.partial-" + own, "file.partial-999999999-1"};
  const std::string living[] = {"file.partial-1-1", "file.partial-1", "file.partial-", "file.part"};
  for (const auto* names : {&dead[0], &dead[1], &dead[2], &living[0], &living[1], &living[2], &living[3]}) write_text(folder / *names, "");
  std::atomic<int> failed{0};
  test::at_once(3, [&](int thread) {
    const std::string path = (folder / "file").string() + std::to_string(thread);
    for (int round = 0; round < 10; ++round) {
      try {
        AtomicFile file(path);
        remove_partial_files(folder / "");
        file.write("whole");
        file.commit();
        failed += read_text(path) == "whole" ? 0 : 1;
      } catch (const Error&) {
        ++failed;
      }
    }
  });
  EXPECT_EQ(failed, 0);
  for (const std::string& name : dead) EXPECT_FALSE(std::filesystem::exists(folder / name)) << name;
  for (const std::string& name : living) EXPECT_TRUE(std::filesystem::exists(folder / name)) << name;
}

TEST(Log, KeepsTheLinesOfThreadsApart) {
  testing::internal::CaptureStderr();
  test::at_once(4, [](int thread) {
    for (int line = 0; line < 100; ++line) {
      log_enabled("threads");
      log_line("threads", std::string(60, static_cast<char>('a' + thread)));
    }
  });
  const std::string text = testing::internal::GetCapturedStderr();
  size_t begin = 0, lines = 0;
  for (size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1, ++lines)
    ASSERT_EQ(text.substr(begin, end - begin), "fovea threads: " + std::string(60, text[end - 1])) << "line " << lines;
  EXPECT_EQ(lines, 400u);
}

}  // namespace
}  // namespace fovea
