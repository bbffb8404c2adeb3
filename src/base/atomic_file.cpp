#include "base/atomic_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPartial = ".partial-";

[[noreturn]] void fail_writing(const fs::path& path, const char* doing, int code) {
  fail(ErrorKind::io, "{}: {}: {}", path.string(), doing, std::strerror(code));
}

// What a path leads to once its links are followed by hand, since the last of them may lead to a file that is not there yet.
struct Destination {
  fs::path path;
  bool exists = false, of_process = false;  // of_process: a link that the system makes up for a descriptor, as /dev/stdout is
  struct stat info {};
  bool regular() const { return !exists || (!of_process && S_ISREG(info.st_mode)); }
};

bool is_in_proc(const fs::path& path) {
  struct statfs info {};
  const fs::path folder = path.parent_path();
  return statfs(folder.empty() ? "." : folder.c_str(), &info) == 0 && info.f_type == PROC_SUPER_MAGIC;
}

Destination find_destination(const fs::path& given) {
  if (given.empty()) fail(ErrorKind::usage, "no file is named to write to");
  Destination place{given, false, false, {}};
  constexpr int kMostLinks = 40;  // as Linux follows
  for (int links = 0;; ++links) {
    if (lstat(place.path.c_str(), &place.info) != 0) {
      if (errno != ENOENT) fail_writing(given, "cannot write", errno);
      if (place.path.has_filename()) return place;
      fail_writing(given, "cannot write", EISDIR);
    }
    place.exists = true;
    if (S_ISDIR(place.info.st_mode)) fail_writing(given, "cannot write", EISDIR);
    if (!S_ISLNK(place.info.st_mode)) return place;
    if (links == kMostLinks) fail_writing(given, "cannot write", ELOOP);
    place.of_process = is_in_proc(place.path);
    if (place.of_process) return place;
    std::error_code error;
    const fs::path to = fs::read_symlink(place.path, error);
    if (error) fail_writing(given, "cannot follow the link", error.value());
    place.path = place.path.parent_path() / to;
    place.exists = false;
  }
}

// The number of a descriptor of this process that a path in /proc stands for; -1: none.
int own_descriptor(const fs::path& path) {
  std::error_code error;
  if (fs::canonical(path.parent_path(), error) != fs::path(fmt::format("/proc/{}/fd", getpid())) || error) return -1;
  const std::string name = path.filename().string();
  int number = -1;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  return read.ec == std::errc() && read.ptr == name.data() + name.size() ? number : -1;
}

// A descriptor of this process is taken as it is: opened anew it would begin at the start of a file that others are writing to.
int open_through(const Destination& place) {
  const int own = place.of_process ? own_descriptor(place.path) : -1;
  if (own < 0) return ::open(place.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  const int flags = fcntl(own, F_GETFL);
  if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY) errno = EBADF;
  return flags < 0 || (flags & O_ACCMODE) == O_RDONLY ? -1 : fcntl(own, F_DUPFD_CLOEXEC, 0);
}

// The numbers in the names of the files that this process is writing.
class Numbers {
 public:
  static Numbers& instance() {
    static Numbers numbers;
    return numbers;
  }
  uint64_t take() {
    const std::lock_guard lock(mutex_);
    taken_.insert(next_);
    return next_++;
  }
  void give_back(uint64_t number) {
    const std::lock_guard lock(mutex_);
    taken_.erase(number);
  }
  bool taken(uint64_t number) {
    const std::lock_guard lock(mutex_);
    return taken_.contains(number);
  }

 private:
  std::mutex mutex_;
  std::set<uint64_t> taken_;
  uint64_t next_ = 0;
};

}  // namespace

AtomicFile::Number::Number() : value_(Numbers::instance().take()) {}
AtomicFile::Number::~Number() { Numbers::instance().give_back(value_); }

// A name of its own for every file that is being written, short enough for what file systems take.
void AtomicFile::take_name() {
  number_.emplace();
  const std::string end = fmt::format("{}{}-{}", kPartial, getpid(), number_->value());
  partial_ = name_.substr(0, static_cast<size_t>(NAME_MAX) - end.size()) + end;
}

void AtomicFile::fail_here(const char* doing) const { fail_writing(path_, doing, errno); }

AtomicFile::AtomicFile(const fs::path& path, bool comes_back) : path_(path) {
  const Destination place = find_destination(path);
  if (!place.regular()) {
    through_ = true;
    collects_ = comes_back;
    descriptor_ = open_through(place);
    if (descriptor_ < 0) fail_here("cannot write");
    return;
  }
  target_ = place.path;
  name_ = place.path.filename().string();
  const fs::path folder = place.path.has_parent_path() ? place.path.parent_path() : fs::path(".");
  folder_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0 && errno == EACCES) folder_ = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0 && errno == ENOENT) fail(ErrorKind::io, "{}: cannot write: there is no folder {}", path.string(), folder.string());
  if (folder_ < 0) fail_here("cannot write");
  try {
    if (place.exists) {
      const int there = openat(folder_, name_.c_str(), O_WRONLY | O_CLOEXEC);
      if (there < 0) fail_here("cannot write");
      ::close(there);
      open_beside(place.info.st_mode & 0777);
      in_place_ = place.info.st_nlink > 1 || fchown(descriptor_, place.info.st_uid, place.info.st_gid) != 0;
      if (!in_place_ && fchmod(descriptor_, place.info.st_mode & 07777) != 0) fail_here("cannot keep the mode");
    } else {
      open_beside(0666);
    }
  } catch (...) {
    close_all();
    throw;
  }
}

// Without a name where the file system can do that: then not even a kill leaves anything.
void AtomicFile::open_beside(mode_t mode) {
  if (access("/proc/self/fd", X_OK) == 0) descriptor_ = openat(folder_, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  while (descriptor_ < 0) {
    take_name();
    descriptor_ = openat(folder_, partial_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (descriptor_ >= 0 || errno == EEXIST) continue;
    partial_.clear();
    fail(ErrorKind::io, "{}: cannot write a file beside it: {}", path_.string(), std::strerror(errno));
  }
}

void AtomicFile::close_all() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!partial_.empty()) unlinkat(folder_, partial_.c_str(), 0);
  partial_.clear();
  if (folder_ >= 0) ::close(std::exchange(folder_, -1));
}

AtomicFile::~AtomicFile() { close_all(); }

void AtomicFile::write_through(const void* data, size_t bytes) const {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, next, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_here("cannot write");
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::write(const void* data, size_t bytes) {
  if (collects_)
    collected_.append(static_cast<const char*>(data), bytes);
  else
    write_through(data, bytes);
}

void AtomicFile::write_at(uint64_t position, const void* data, size_t bytes) {
  if (collects_) {
    collected_.replace(static_cast<size_t>(position), bytes, static_cast<const char*>(data), bytes);
    return;
  }
  if (through_) fail(ErrorKind::internal, "{}: is written through, and cannot be written twice", path_.string());
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::pwrite(descriptor_, next, bytes, static_cast<off_t>(position));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_here("cannot write");
    next += written;
    position += static_cast<uint64_t>(written);
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (through_) {
    write_through(collected_.data(), collected_.size());
    if (::close(std::exchange(descriptor_, -1)) != 0) fail_here("cannot write");
    return;
  }
  if (in_place_) {
    copy_into_place();
    return close_all();
  }
  if (!flushed_) flush();
  give_name();
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_here("cannot write");
  if (renameat(folder_, partial_.c_str(), folder_, name_.c_str()) != 0) fail_here("cannot write");
  partial_.clear();
  // A new name is on the disk only when its folder is; without it a power cut could keep a later file and lose an earlier one. Not every
  // file system can: then it goes as it went before.
  (void)fsync(folder_);
  close_all();
}

void AtomicFile::flush() {
  if (!through_ && fsync(descriptor_) != 0) fail_here("cannot flush");
  flushed_ = true;
}

void AtomicFile::give_name() {
  const std::string descriptor = fmt::format("/proc/self/fd/{}", descriptor_);
  while (partial_.empty()) {
    take_name();
    if (linkat(AT_FDCWD, descriptor.c_str(), folder_, partial_.c_str(), AT_SYMLINK_FOLLOW) == 0) return;
    partial_.clear();
    if (errno != EEXIST) fail_here("cannot write");
  }
}

// The room is taken before anything is written over, so that a full disk leaves what was there.
void AtomicFile::copy_into_place() const {
  struct stat info {};
  if (fstat(descriptor_, &info) != 0) fail_here("cannot write");
  const int to = openat(folder_, name_.c_str(), O_WRONLY | O_CLOEXEC);
  if (to < 0) fail_here("cannot write");
  const auto copy = [&] {
    const int full = info.st_size > 0 ? posix_fallocate(to, 0, info.st_size) : 0;
    if (full != 0 && full != EOPNOTSUPP && full != EINVAL) return errno = full, false;
    std::vector<char> buffer(size_t{1} << 20);
    for (off_t at = 0; at < info.st_size;) {
      const ssize_t got = pread(descriptor_, buffer.data(), buffer.size(), at);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      for (ssize_t done = 0; done < got;) {
        const ssize_t written = pwrite(to, buffer.data() + done, static_cast<size_t>(got - done), at + done);
        if (written < 0 && errno != EINTR) return false;
        done += std::max<ssize_t>(written, 0);
      }
      at += got;
    }
    return ftruncate(to, info.st_size) == 0 && fsync(to) == 0;
  };
  const bool copied = copy();
  const int code = errno;
  ::close(to);
  if (!copied) fail_writing(path_, "cannot write", code);
}

void require_writable(const fs::path& path) {
  const Destination place = find_destination(path);
  if (place.regular()) {
    const AtomicFile attempt(path);
    return;
  }
  const int own = place.of_process ? own_descriptor(place.path) : -1;
  const bool good = own >= 0 ? fcntl(own, F_GETFL) >= 0 : faccessat(AT_FDCWD, place.path.c_str(), W_OK, AT_EACCESS) == 0;
  if (!good) fail_writing(path, "cannot write", errno);
}

void require_ending(const std::string& path, std::string_view ending, std::string_view what) {
  const std::string own = lower_case(fs::path(path).extension().string());
  if (!own.empty() && own != ending)
    fail(ErrorKind::usage, "{}: {} is written as {}, the name ends in {}: let it end in {}", path, what, ending, own, ending);
}

void require_room(const fs::path& folder, uint64_t bytes) {
  struct statvfs info {};
  if (statvfs(folder.c_str(), &info) != 0 || info.f_blocks == 0) return;  // what cannot be known is no reason to refuse
  const uint64_t free = uint64_t{info.f_bavail} * info.f_frsize;
  const auto megabytes = [](uint64_t count) { return static_cast<double>(count) / 1e6; };
  if (free < bytes)
    fail(ErrorKind::io, "{}: no space: {:.1f} MB are left on the disk, {:.1f} MB are needed", folder.string(), megabytes(free),
         megabytes(bytes));
}

void remove_partial_files(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const size_t mark = name.rfind(kPartial);
    if (mark == name.npos) continue;
    const char* text = name.c_str() + mark + std::strlen(kPartial);
    char* end = nullptr;
    const long writer = std::strtol(text, &end, 10);
    if (writer <= 0) continue;
    // Another process may have had this one's id before it, as in containers, where the first always has the same.
    const bool living = writer == getpid() ? *end == '-' && Numbers::instance().taken(std::strtoull(end + 1, nullptr, 10))
                                           : kill(static_cast<pid_t>(writer), 0) == 0 || errno != ESRCH;
    if (!living) fs::remove(entry.path(), error);
  }
}

void write_text(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace fovea
