// What a frozen part of a network gives for a list of pictures, computed once and kept, in memory or in a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/spill.h"

namespace fovea::engine {

// Rows that are complete and change no more: in memory, or in a mapped file.
class FeatureRows {
 public:
  FeatureRows() = default;
  FeatureRows(FeatureRows&&) = default;
  FeatureRows& operator=(FeatureRows&&) = default;

  int64_t rows() const { return rows_; }
  int64_t width() const { return width_; }
  std::span<const float> row(int64_t i) const { return {first_ + i * width_, static_cast<size_t>(width_)}; }
  size_t bytes() const { return values_.bytes_of_memory(); }  // those of a file belong to the system

  // What a collector left in a file. Nothing where there is no file, where its key or its shape is another one, or where its numbers are
  // not those that were written.
  static std::optional<FeatureRows> open(const std::filesystem::path& path, const std::string& key, int64_t rows, int64_t width);
  // The same of a file's bytes, aligned as memory is, which `owner` keeps alive for the rows.
  static std::optional<FeatureRows> read(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& key,
                                         int64_t rows, int64_t width);

 private:
  friend class FeatureCollector;
  int64_t rows_ = 0, width_ = 0;
  SpillArray<float> values_;
  std::shared_ptr<const void> owner_;  // of what lies in a file
  const float* first_ = nullptr;
};

// The checksum of numbers that follow those of `checksum`; 0 before the first.
uint64_t add_to_checksum(uint64_t checksum, std::span<const float> values);

// Takes rows one after the other. The file gets its name once all of them are in it: whoever opens it finds everything or nothing.
class FeatureCollector {
 public:
  // Collects in this memory, which has room for rows * width numbers.
  FeatureCollector(int64_t rows, int64_t width, SpillArray<float> memory);
  // Collects in a file; `key` (64 characters) says what the rows depend on. Throws Error(io).
  FeatureCollector(int64_t rows, int64_t width, std::filesystem::path path, std::string key);

  void append(std::span<const float> rows);  // any number of whole ones
  FeatureRows finish();

 private:
  FeatureRows result_;
  int64_t rows_, width_;
  std::filesystem::path path_;
  std::string key_;
  std::unique_ptr<AtomicFile> file_;
  size_t taken_ = 0;       // numbers
  uint64_t checksum_ = 0;  // of them
};

}  // namespace fovea::engine
