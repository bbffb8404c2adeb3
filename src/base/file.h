// Files: mapped for reading, written beside and renamed so that nothing is ever half-written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fovea {

// A whole file mapped read-only. Throws Error(io) naming the path and the system's reason; an empty file maps to no bytes.
class MappedFile {
 public:
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

std::string read_text(const std::filesystem::path& path);

// A number that no other file being written by this process has.
class PartialNumber {
 public:
  PartialNumber();
  ~PartialNumber();
  PartialNumber(const PartialNumber&) = delete;
  PartialNumber& operator=(const PartialNumber&) = delete;
  uint64_t value() const { return value_; }

 private:
  uint64_t value_;
};

// Writes PATH.partial-PID-NUMBER, flushes it to the disk and renames it to PATH: after a crash or on a full disk PATH is the old file or
// the new one, never a part. Of several writers of one PATH at the same time each writes a file of its own, and the last to finish is the
// one that stays. Throws Error(io) with the system's reason, and removes the partial file.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Writes over what is there already.
  void write_at(uint64_t position, const void* data, size_t bytes);
  // Makes it permanent; without it the destructor drops what was written.
  void commit();

 private:
  const PartialNumber number_;
  std::filesystem::path path_, partial_;
  int descriptor_ = -1;
};

// What processes that were killed left of such files in a folder goes; those of living ones stay, and of this process those that it is
// writing.
void remove_partial_files(const std::filesystem::path& folder);

void write_text(const std::filesystem::path& path, std::string_view text);

}  // namespace fovea
