#include "base/cores.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace fovea {
namespace {

namespace fs = std::filesystem;

class Cores : public testing::Test {
 protected:
  Cores() : root_(fs::path(testing::TempDir()) / "fovea-cores") { fs::remove_all(root_); }
  ~Cores() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  int cores() const { return available_cores(root_.string()); }

  fs::path root_;
  const int all_ = available_cores((root_ / "nothing").string());
};

TEST_F(Cores, AreThoseOfTheAffinityWithoutAQuota) {
  EXPECT_GE(all_, 1);
  EXPECT_LE(all_, static_cast<int>(std::thread::hardware_concurrency()));
  write("proc/self/cgroup", "9:cpu:/old\n0::/\n");
  EXPECT_EQ(cores(), all_);
  write("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(cores(), all_);
  write("sys/fs/cgroup/cpu.max", "what\n");
  EXPECT_EQ(cores(), all_);
}

TEST_F(Cores, AreWhatAQuotaIsWorth) {
  write("proc/self/cgroup", "0::/\n");
  for (const auto& [quota, worth] :
       {std::pair("50000 100000", 1), {"100000 100000", 1}, {"1000 100000", 1}, {"150000 100000", 2}, {"100000000 100000", 1000}}) {
    write("sys/fs/cgroup/cpu.max", quota);
    EXPECT_EQ(cores(), std::min(all_, worth)) << quota;
  }
}

TEST_F(Cores, AreWhatTheNarrowestGroupAboveAllows) {
  write("proc/self/cgroup", "0::/pod/box\n");
  write("sys/fs/cgroup/pod/cpu.max", "100000 100000\n");
  write("sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
  EXPECT_EQ(cores(), 1);
  write("sys/fs/cgroup/pod/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/pod/box/cpu.max", "90000 100000\n");
  EXPECT_EQ(cores(), 1);
}

}  // namespace
}  // namespace fovea
