// A zip archive in memory, read only: what PyTorch's newer container and Python wheels are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fovea::weights {

class ZipArchive {
 public:
  // Bytes of an entry: within the archive where it is stored uncompressed, otherwise `owned` keeps the decompressed copy.
  struct Contents {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owned;
  };

  // `bytes` must outlive the archive. Throws Error(format) where it has no readable directory, or two entries of one name.
  explicit ZipArchive(std::span<const std::byte> bytes);
  ~ZipArchive();
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;

  // In the order of the directory.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return entries_.count(std::string(name)) > 0; }
  // What the directory says the entry has uncompressed.
  size_t size_of(std::string_view name) const;
  // Throws Error(format) for an entry that is missing, encrypted, damaged, points outside the archive, or would need more than
  // `memory_limit_bytes` decompressed.
  Contents read(std::string_view name, size_t memory_limit_bytes) const;

 private:
  struct Entry {
    uint64_t directory_position = 0, number = 0;  // where the directory describes it
    uint64_t size = 0, compressed_size = 0;
    unsigned long flags = 0, method = 0;
  };
  struct Stream;
  const Entry& entry(std::string_view name) const;

  std::span<const std::byte> bytes_;
  std::unique_ptr<Stream> stream_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace fovea::weights
