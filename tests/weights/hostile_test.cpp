// Damaged files: every truncation and thousands of seeded changes of every fixture end in an Error or a result, never in a crash, a hang or
// memory that the file does not justify.
#include <sys/resource.h>

#include <chrono>

#include "base/random.h"
#include "weights/name_map.h"
#include "weights/pth.h"
#include "weights/safetensors.h"
#include "weights/support.h"

namespace fovea::weights {
namespace {

using Reader = StateDict (*)(std::span<const std::byte>, std::shared_ptr<const void>);

// Reads every value, so that a tensor that points outside is noticed. True where the file was accepted.
bool try_read(Reader reader, std::span<const std::byte> bytes) {
  // Exactly as large as the file, so that the address sanitizer sees a read behind its end.
  const std::shared_ptr<std::byte[]> copy(new std::byte[bytes.size() + 1]);
  if (!bytes.empty()) std::memcpy(copy.get() + 1, bytes.data(), bytes.size());
  std::byte* start = copy.get() + 1;  // and not aligned, as in a file that is not ours
  try {
    const StateDict dict = reader({start, bytes.size()}, copy);
    unsigned sum = 0;
    for (const NamedTensor& named : dict) {
      const auto* raw = static_cast<const unsigned char*>(named.tensor.raw());
      for (size_t i = 0; i < named.tensor.bytes(); ++i) sum += raw[i];
    }
    volatile unsigned sink = sum;
    (void)sink;
    return true;
  } catch (const Error& error) {
    EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
    EXPECT_NE(error.kind(), ErrorKind::usage) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return false;
  }
}

Reader reader_for(const std::filesystem::path& file) {
  if (file.extension() == ".pth")
    return [](std::span<const std::byte> b, std::shared_ptr<const void> o) { return read_pth(b, std::move(o)); };
  return [](std::span<const std::byte> b, std::shared_ptr<const void> o) { return read_safetensors(b, std::move(o)); };
}

[[maybe_unused]] int64_t most_memory_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(Hostile, EveryTruncation) {
  for (const auto& file : data_files({".pth", ".safetensors"})) {
    const auto bytes = bytes_of(file);
    const Reader reader = reader_for(file);
    // The bombs and the large ones have nothing of interest between most of their bytes.
    const size_t step = bytes.size() > 20000 ? 1009 : 1;
    for (size_t length = 0; length < bytes.size(); length += step) {
      const bool accepted = try_read(reader, std::span(bytes).first(length));
      // The data ends a .safetensors, the storages a stream: no part of such a file is a good one.
      const bool must_fail = file.extension() == ".safetensors" || file.filename().string().find(".stream.") != std::string::npos;
      ASSERT_FALSE(must_fail && accepted) << file << " cut to " << length;
    }
  }
}

TEST(Hostile, ChangedBytes) {
  const auto files = data_files({".pth", ".safetensors"});
  for (size_t f = 0; f < files.size(); ++f) {
    const auto original = bytes_of(files[f]);
    if (original.size() > 20000) continue;
    const Reader reader = reader_for(files[f]);
    const RandomStream random(1, f);
    // A bomb of a few bytes is as much work as the reader ever does: a few changes of it take as long as all those of the others.
    const bool bomb = files[f].filename().string().find("bomb") != std::string::npos;
    const uint64_t rounds = bomb ? 20 : 400;
    for (uint64_t round = 0; round < rounds; ++round) {
      auto bytes = original;
      const uint64_t changes = 1 + random.below(1000 * round, 4);
      for (uint64_t change = 0; change < changes; ++change) {
        const uint64_t at = random.below(1000 * round + 2 * change + 1, bytes.size());
        const uint64_t bits = random.bits(1000 * round + 2 * change + 2);
        // Small numbers and all ones meet more branches than noise does.
        bytes[at] = (bits & 3) == 0 ? std::byte{0xFF} : (bits & 3) == 1 ? std::byte{0} : static_cast<std::byte>(bits >> 8);
      }
      try_read(reader, bytes);
    }
  }
}

TEST(Hostile, ManyMutationsOfThePickle) {
  // A stream is mostly pickle: changes there reach every operation.
  const auto original = bytes_of(data("mixed.stream.pth"));
  const Reader reader = reader_for("x.pth");
  for (size_t at = 15; at < original.size(); ++at) {
    auto bytes = original;
    for (unsigned byte : {0x00u, 0x01u, 0x28u, 0x2Eu, 0x52u, 0x62u, 0x71u, 0x7Fu, 0x80u, 0x8Bu, 0x93u, 0xFFu}) {
      bytes[at] = static_cast<std::byte>(byte);
      try_read(reader, bytes);
    }
  }
}

TEST(Hostile, TakesNoMoreMemoryThanTheFileJustifies) {
#ifdef FOVEA_SANITIZED
  GTEST_SKIP() << "the address sanitizer's own memory drowns the readers'";
#else
  const auto begin = std::chrono::steady_clock::now();
  const int64_t before = most_memory_kib();
  for (const auto& file : data_files({".pth"})) try_read(reader_for(file), bytes_of(file));
  // No fixture is larger than 70 kB; 16 MiB and four times the file may be copied, 2^20 values take some 60 MB.
  EXPECT_LT(most_memory_kib() - before, 120 * 1024);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 10.0);
#endif
}

TEST(Hostile, NamesThatFitNothingTakeNoTimeInAnyMap) {
  const auto repeated = [](const std::string& part, size_t bytes) {
    std::string name;
    while (name.size() + part.size() <= bytes) name += part;
    return name;
  };
  std::vector<std::string> names = {"", ".", "..", "$1", "#1", "{0,1}", "**", "_blocks.#1._bn1.$9", std::string("a\0b", 3)};
  for (const char* part :
       {"a", ".", "a.", "*", "denselayer1.norm.", "mlp.linear_1.", "_blocks.0.", "features.1.", "stages.0.", "backbone."})
    for (size_t bytes : {511, 512, 513, 100000}) names.push_back(repeated(part, bytes));
  const std::vector<std::string> model = {"features.0.weight", "stages.0.blocks.0.gamma", "blocks.0.0.conv_pwl.weight"};
  const auto begin = std::chrono::steady_clock::now();
  for (const NameMap& map : name_maps()) EXPECT_EQ(map.apply(names, model).size(), names.size()) << map.name();
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 10.0);
}

}  // namespace
}  // namespace fovea::weights
