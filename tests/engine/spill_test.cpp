// Memory with a limit, and files without a name beyond it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "base/error.h"
#include "base/spill.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

class SpillTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  const fs::path folder_ = fs::path(testing::TempDir()) / ("fovea_spill_" + std::to_string(getpid()));
};

// Resident bytes of the mapping that holds the address, of which the system keeps count in pages.
size_t resident_at(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) here = begin <= wanted && wanted < end;
    size_t kilobytes = 0;
    if (here && std::sscanf(line.c_str(), "Rss: %zu kB", &kilobytes) == 1) return kilobytes << 10;
  }
  return 0;
}

TEST_F(SpillTest, WhatIsBeyondTheLimitLiesInAFileWithoutAName) {
  const Spill spill(1000, folder_);
  const SpillArray<float> first(spill, 200), second(spill, 100);
  EXPECT_FALSE(first.in_file());
  EXPECT_TRUE(second.in_file());
  EXPECT_EQ(spill.in_memory(), 800u);
  EXPECT_EQ(first.bytes_of_memory(), 800u);
  EXPECT_EQ(second.bytes_of_memory(), 0u);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(SpillTest, RoomComesBackWithTheLastUse) {
  const Spill spill(1000, folder_);
  {
    SpillArray<float> first(spill, 200);
    const SpillArray<float> copy = first;
    first = {};
    EXPECT_EQ(spill.in_memory(), 800u);
  }
  EXPECT_EQ(spill.in_memory(), 0u);
  EXPECT_FALSE(SpillArray<float>(spill, 250).in_file());
}

TEST_F(SpillTest, WhatHasToLieInMemoryCountsBeyondTheLimitToo) {
  const Spill spill(1000, folder_);
  EXPECT_EQ(spill.room(), 1000u);
  {
    const auto first = SpillArray<float>::in_memory(spill, 200), second = SpillArray<float>::in_memory(spill, 100);
    EXPECT_FALSE(second.in_file());
    EXPECT_EQ(second.bytes_of_memory(), 400u);
    EXPECT_EQ(spill.in_memory(), 1200u);
    EXPECT_EQ(spill.room(), 0u);
    EXPECT_TRUE(SpillArray<float>(spill, 1).in_file());
  }
  EXPECT_EQ(spill.room(), 1000u);
  EXPECT_EQ(SpillArray<float>::in_memory({}, 300).bytes_of_memory(), 1200u);
}

TEST_F(SpillTest, PagesThatWereLetGoKeepTheirValues) {
  const SpillArray<int64_t> held({}, 100000), filed(Spill(0, folder_), 100000);
  for (const auto& array : {held, filed}) {
    std::iota(array.values().begin(), array.values().end(), int64_t{7});
    array.let_go(1000, 50000);
    array.let_go();
  }
  EXPECT_EQ(resident_at(filed.values().data()), 0u);
  EXPECT_GE(resident_at(held.values().data()), 800000u);
  EXPECT_TRUE(std::ranges::equal(held.values(), filed.values()));
}

TEST_F(SpillTest, ADiskWithoutRoomIsAnErrorThatNamesTheFolder) {
  try {
    const SpillArray<float> array(Spill(0, folder_), int64_t{1} << 58);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_THAT(error.what(), testing::HasSubstr(folder_.string() + ": "));
  }
  EXPECT_THROW(SpillArray<float>(Spill(0, folder_ / "missing"), 10), Error);
}

}  // namespace
}  // namespace fovea
