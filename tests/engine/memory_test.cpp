#include "base/memory.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/process_memory.h"

namespace fovea {
namespace {

constexpr size_t kLarge = size_t{4} << 20;

TEST(Memory, IsAlignedAndZeroed) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100}, kLarge - 1, kLarge + 1}) {
    const auto memory = zeroed_memory(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.get()) % 64, 0u) << bytes;
    for (size_t i = 0; i < bytes; ++i) ASSERT_EQ(memory.get()[i], std::byte{0}) << i << " of " << bytes;
  }
}

#ifndef FOVEA_SANITIZED  // which keeps freed memory for a while
// Every second block first, so that an allocator's heap could not shrink.
TEST(Memory, OfLargeTensorsGoesBackToTheSystem) {
  constexpr size_t kCount = 32, kSlack = kLarge;
  for (int round = 0; round < 2; ++round) {  // glibc maps large blocks until some were freed
    const size_t before = resident_bytes();
    std::vector<std::shared_ptr<std::byte>> blocks;
    for (size_t i = 0; i < kCount; ++i) blocks.push_back(zeroed_memory(kLarge));
    EXPECT_GE(resident_bytes(), before + kCount * kLarge - kSlack);  // there before anyone wrote to it: what is planned is counted
    for (size_t i = 0; i < kCount; i += 2) blocks[i].reset();
    EXPECT_LE(resident_bytes(), before + kCount / 2 * kLarge + kSlack);
  }
}
#endif

}  // namespace
}  // namespace fovea
