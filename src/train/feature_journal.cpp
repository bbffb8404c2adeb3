#include "train/feature_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/feature_cache.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;

constexpr const char *kJournalBegin = "features-", *kJournalEnd = ".part";

// The file: this, then stretches of rows, each behind its own head.
struct JournalHeader {
  std::array<char, 16> magic{"fovea journal 1"};
  uint64_t key = 0, width = 0;
};
struct JournalStretch {
  uint64_t numbers = 0, checksum = 0;
};

bool write_whole(int descriptor, const void* data, size_t bytes) {
  const auto* from = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    const ssize_t done = ::write(descriptor, from, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    from += done;
    bytes -= static_cast<size_t>(done);
  }
  return true;
}

}  // namespace

FeatureJournal::FeatureJournal(const TrainOptions& options, const std::string& name, std::function<std::string()> key, int64_t rows)
    : file_(options.run.out.empty() ? fs::path() : fs::path(options.run.out) / (kJournalBegin + name + kJournalEnd)),
      key_(std::move(key)),
      rows_(rows),
      every_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::min(options.run.checkpoint_seconds, 1e9)))) {
  std::error_code none;
  if (!file_.empty() && fs::is_regular_file(file_, none)) read();
  if (options.run.note && !found_.empty())
    options.run.note(fmt::format("the features of {} of {} pictures are there already", found_.size(), rows));
}

FeatureJournal::~FeatureJournal() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FeatureJournal::read() {
  const auto file = MappedFile::open(file_);
  const std::span<const std::byte> bytes = file->bytes();
  JournalHeader header;
  if (bytes.size() < sizeof header) return;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != JournalHeader{}.magic || header.key != fnv1a64(key_()) || header.width == 0) return;
  uint64_t at = sizeof header;
  for (JournalStretch stretch; bytes.size() - at >= sizeof stretch;) {
    std::memcpy(&stretch, bytes.data() + at, sizeof stretch);
    const uint64_t room = (bytes.size() - at - sizeof stretch) / sizeof(float);
    if (stretch.numbers == 0 || stretch.numbers > room || stretch.numbers % header.width != 0) break;
    const std::span values(reinterpret_cast<const float*>(bytes.data() + at + sizeof stretch), stretch.numbers);
    if (engine::add_to_checksum(0, values) != stretch.checksum) break;
    for (uint64_t i = 0; i < stretch.numbers; i += header.width) found_.push_back(values.subspan(i, header.width));
    at += sizeof stretch + values.size_bytes();
  }
  if (found_.size() > static_cast<size_t>(rows_)) found_.clear();
  if (found_.empty()) return;
  good_bytes_ = at;
  width_ = header.width;
  owner_ = file;
}

void FeatureJournal::add(std::span<const float> row) {
  if (file_.empty() || given_up_) return;
  pending_.insert(pending_.end(), row.begin(), row.end());
  width_ = row.size();
  if (Clock::now() - written_ >= every_) write();
}

bool FeatureJournal::open(size_t width) {
  std::error_code none;
  const auto room = fs::space(file_.parent_path(), none);
  if (none || static_cast<uint64_t>(rows_) * width * sizeof(float) >= room.available / 2) return false;
  descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0 || ::ftruncate(descriptor_, static_cast<off_t>(good_bytes_)) != 0 || ::lseek(descriptor_, 0, SEEK_END) < 0)
    return false;
  if (good_bytes_ > 0) return true;
  JournalHeader header;
  header.key = fnv1a64(key_());
  header.width = width;
  return write_whole(descriptor_, &header, sizeof header);
}

void FeatureJournal::write() {
  const JournalStretch stretch{pending_.size(), engine::add_to_checksum(0, pending_)};
  if ((descriptor_ < 0 && !open(width_)) || !write_whole(descriptor_, &stretch, sizeof stretch) ||
      !write_whole(descriptor_, pending_.data(), pending_.size() * sizeof(float)) || ::fdatasync(descriptor_) != 0)
    give_up();
  pending_.clear();
  written_ = Clock::now();
}

void FeatureJournal::give_up() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  given_up_ = true;
  std::error_code none;
  fs::remove(file_, none);
}

void remove_journals(const fs::path& folder) {
  std::error_code none;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(folder, none), end; !none && entry != end; entry.increment(none)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(kJournalBegin) && name.ends_with(kJournalEnd)) found.push_back(entry->path());
  }
  for (const fs::path& file : found) fs::remove(file, none);
}

}  // namespace fovea::training
