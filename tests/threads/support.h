// What several threads do at the same time, and networks small enough to do it with under ThreadSanitizer.
#pragma once

#include <fovea/fovea.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "support/numbers.h"
#include "support/threads.h"

namespace fovea::test {

constexpr int64_t kSide = 32;  // of the networks' pictures

// Networks of a few thousand parameters that hold every kind of kernel that shares its work out: "threads_maps" convolutions (plain, by
// 1x1, of each channel for itself), batch norms and squeeze-excite, "threads_tokens" attention between linear layers.
std::vector<std::string> small_networks();
Model small_model(const std::string& name, uint64_t seed = 1);

Image picture(int number);
Tensor prepared(int number, int64_t count = 1);  // pictures as a network takes them, [count, 3, kSide, kSide]

// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace fovea::test
