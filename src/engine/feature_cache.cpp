#include "engine/feature_cache.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace fovea::engine {
namespace {

// The file: this, then the rows as they lie in memory. A page long, so that rows begin where memory does.
struct Header {
  std::array<char, 16> magic{"fovea features1"};
  std::array<char, 64> key{};
  int64_t rows = 0, width = 0;
  uint64_t checksum = 0;
  std::array<char, 4096 - 16 - 64 - 24> unused{};
};
static_assert(sizeof(Header) == 4096);

}  // namespace

uint64_t add_to_checksum(uint64_t checksum, std::span<const float> values) {
  for (const float value : values) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    checksum = (checksum ^ bits) * 0x9E3779B97F4A7C15ull;
    checksum ^= checksum >> 32;
  }
  return checksum;
}

std::optional<FeatureRows> FeatureRows::open(const std::filesystem::path& path, const std::string& key, int64_t rows, int64_t width) {
  std::error_code missing;
  if (!std::filesystem::is_regular_file(path, missing)) return std::nullopt;
  const auto file = MappedFile::open(path);
  return read(file->bytes(), file, key, rows, width);
}

std::optional<FeatureRows> FeatureRows::read(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& key,
                                             int64_t rows, int64_t width) {
  Header header;
  const auto numbers = static_cast<size_t>(rows * width);
  if (bytes.size() != sizeof header + numbers * sizeof(float)) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != Header{}.magic || std::string_view(header.key.data(), header.key.size()) != key || header.rows != rows ||
      header.width != width) {
    return std::nullopt;
  }
  FeatureRows result;
  result.owner_ = std::move(owner);
  result.rows_ = rows;
  result.width_ = width;
  result.first_ = reinterpret_cast<const float*>(bytes.data() + sizeof header);
  if (add_to_checksum(0, {result.first_, numbers}) != header.checksum) return std::nullopt;
  return result;
}

FeatureCollector::FeatureCollector(int64_t rows, int64_t width, SpillArray<float> memory) : rows_(rows), width_(width) {
  result_.values_ = std::move(memory);
}

FeatureCollector::FeatureCollector(int64_t rows, int64_t width, std::filesystem::path path, std::string key)
    : rows_(rows), width_(width), path_(std::move(path)), key_(std::move(key)), file_(std::make_unique<AtomicFile>(path_, true)) {
  if (key_.size() != Header{}.key.size())
    fail(ErrorKind::internal, "a key of {} characters, {} expected", key_.size(), Header{}.key.size());
  const Header empty;
  file_->write(&empty, sizeof empty);
}

void FeatureCollector::append(std::span<const float> rows) {
  const size_t before = std::exchange(taken_, taken_ + rows.size());
  if (taken_ > static_cast<size_t>(rows_ * width_)) fail(ErrorKind::internal, "{} numbers in {} rows of {}", taken_, rows_, width_);
  if (!file_) {
    std::ranges::copy(rows, result_.values_.part(static_cast<int64_t>(before), static_cast<int64_t>(rows.size())).begin());
    return;
  }
  file_->write(rows.data(), rows.size_bytes());
  checksum_ = add_to_checksum(checksum_, rows);
}

FeatureRows FeatureCollector::finish() {
  if (taken_ != static_cast<size_t>(rows_ * width_)) fail(ErrorKind::internal, "{} numbers in {} rows of {}", taken_, rows_, width_);
  if (!file_) {
    result_.rows_ = rows_;
    result_.width_ = width_;
    result_.first_ = result_.values_.values().data();
    return std::move(result_);
  }
  Header header;
  std::ranges::copy(key_, header.key.begin());
  header.rows = rows_;
  header.width = width_;
  header.checksum = checksum_;
  file_->write_at(0, &header, sizeof header);
  file_->commit();
  auto opened = FeatureRows::open(path_, key_, rows_, width_);
  if (!opened) fail(ErrorKind::io, "{}: what was written is not what is there", path_.string());
  return std::move(*opened);
}

}  // namespace fovea::engine
