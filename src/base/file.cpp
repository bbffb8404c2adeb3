#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <utility>

#include "base/error.h"

namespace fovea {
namespace {

[[noreturn]] void fail_system(const std::filesystem::path& path, const char* doing) {
  const int code = errno;
  fail(ErrorKind::io, "{}: {}: {}", path.string(), doing, std::strerror(code));
}

constexpr const char* kPartial = ".partial-";

// The numbers of the partial files that this process is writing.
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

// A new name is on the disk only when its folder is; without it a power cut could keep a later file and lose an earlier one. Not every file
// system can: then it goes as it went before.
void flush_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  (void)fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_system(path, "cannot open");
  struct stat info {};
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(descriptor);
    fail(ErrorKind::io, "{}: not a regular file", path.string());
  }
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  file->size_ = static_cast<size_t>(info.st_size);
  if (file->size_ > 0) {
    void* data = mmap(nullptr, file->size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED) {
      ::close(descriptor);
      fail_system(path, "cannot map");
    }
    file->data_ = static_cast<const std::byte*>(data);
  }
  ::close(descriptor);
  return file;
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_text(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

PartialNumber::PartialNumber() : value_(Numbers::instance().take()) {}
PartialNumber::~PartialNumber() { Numbers::instance().give_back(value_); }

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  partial_ = path_;
  partial_ += fmt::format("{}{}-{}", kPartial, getpid(), number_.value());
  descriptor_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_system(path_, "cannot write");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(partial_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, next, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_system(path_, "cannot write");
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::write_at(uint64_t position, const void* data, size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::pwrite(descriptor_, next, bytes, static_cast<off_t>(position));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_system(path_, "cannot write");
    next += written;
    position += static_cast<uint64_t>(written);
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0) fail_system(path_, "cannot flush");
  if (::close(std::exchange(descriptor_, -1)) != 0 || ::rename(partial_.c_str(), path_.c_str()) != 0) {
    const int code = errno;
    ::unlink(partial_.c_str());
    errno = code;
    fail_system(path_, "cannot write");
  }
  flush_folder(path_.parent_path());
}

void remove_partial_files(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
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
    if (!living) std::filesystem::remove(entry.path(), error);
  }
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace fovea
