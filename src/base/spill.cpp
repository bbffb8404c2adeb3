#include "base/spill.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

// Where the file system cannot make a file without a name, the name is taken away at once.
int open_nameless(const fs::path& folder) {
  const int nameless = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (nameless >= 0) return nameless;
  std::string name = (folder / "fovea.partial-XXXXXX").string();
  const int named = mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

// The room is taken at once: a disk that fills up later could only end the process.
void reserve(int descriptor, const fs::path& folder, size_t bytes) {
  if (fallocate(descriptor, 0, 0, static_cast<off_t>(bytes)) == 0) return;
  if (errno == EOPNOTSUPP) {  // not every file system can
    require_room(folder, bytes);
    if (ftruncate(descriptor, static_cast<off_t>(bytes)) == 0) return;
  }
  const int code = errno;
  fail(ErrorKind::io, "{}: {:.1f} MB of what is kept of the pictures do not go there: {}", folder.string(),
       static_cast<double>(bytes) / 1e6, std::strerror(code));
}

std::shared_ptr<std::byte> mapped_file(const fs::path& folder, size_t bytes) {
  const Descriptor file(open_nameless(folder));
  if (file.number() < 0) fail(ErrorKind::io, "{}: no file for what is kept of the pictures: {}", folder.string(), std::strerror(errno));
  reserve(file.number(), folder, bytes);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.number(), 0);
  if (memory == MAP_FAILED)
    fail(ErrorKind::io, "{}: {} bytes of a file cannot be mapped: {}", folder.string(), bytes, std::strerror(errno));
  return {static_cast<std::byte*>(memory), [bytes](std::byte* own) { munmap(own, bytes); }};
}

}  // namespace

struct Spill::Limit {
  size_t bytes = 0;
  fs::path folder;
  std::atomic<size_t> taken{0};

  size_t room() const {
    const size_t now = taken;
    return now < bytes ? bytes - now : 0;
  }
  bool take(size_t more) {
    size_t before = taken;
    do {
      if (before > bytes || more > bytes - before) return false;
    } while (!taken.compare_exchange_weak(before, before + more));
    return true;
  }
  // Of bytes that are counted already; their last use gives them back to `limit`, which is this one.
  static std::shared_ptr<std::byte> memory(size_t bytes, const std::shared_ptr<Limit>& limit) {
    std::shared_ptr<void> share(nullptr, [limit, bytes](void*) { limit->taken -= bytes; });  // runs also where there is no memory
    std::shared_ptr<std::byte> memory = aligned_memory(bytes);
    std::byte* const data = memory.get();
    return {data, [share = std::move(share), memory = std::move(memory)](std::byte*) mutable {
              memory.reset();
              share.reset();
            }};
  }
};

Spill::Spill(size_t limit, fs::path folder) : limit_(std::make_shared<Limit>()) {
  limit_->bytes = limit;
  limit_->folder = std::move(folder);
}

std::shared_ptr<std::byte> Spill::take(size_t bytes, bool& in_file) const {
  in_file = limit_ && !limit_->take(bytes);
  if (in_file) return mapped_file(limit_->folder, bytes);
  return limit_ ? Limit::memory(bytes, limit_) : aligned_memory(bytes);
}

std::shared_ptr<std::byte> Spill::take_memory(size_t bytes) const {
  if (!limit_) return aligned_memory(bytes);
  limit_->taken += bytes;
  return Limit::memory(bytes, limit_);
}

size_t Spill::in_memory() const { return limit_ ? limit_->taken.load() : 0; }

size_t Spill::room() const { return limit_ ? limit_->room() : std::numeric_limits<size_t>::max(); }

void let_go_of_pages(std::byte* begin, size_t bytes) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)), first = reinterpret_cast<uintptr_t>(begin) / page * page;
  (void)madvise(reinterpret_cast<void*>(first), reinterpret_cast<uintptr_t>(begin) + bytes - first, MADV_DONTNEED);
}

}  // namespace fovea
