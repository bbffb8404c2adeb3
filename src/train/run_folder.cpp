#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "train/checkpoint.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;

void collect(const fs::path& folder, std::vector<fs::path>& found) {
  std::error_code none;
  for (fs::directory_iterator entry(folder, none), end; !none && entry != end; entry.increment(none)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with("fold-") && !name.starts_with("seed-")) continue;
    if (fs::exists(entry->path() / kCheckpointFile)) found.push_back(entry->path() / kCheckpointFile);
    if (name.starts_with("seed-")) collect(entry->path(), found);  // its folds
  }
}

// Of folds and seeds.
std::vector<fs::path> partial_checkpoints(const fs::path& out) {
  std::vector<fs::path> found;
  collect(out, found);
  std::ranges::sort(found);
  return found;
}

void require_finished(const fs::path& out, const fs::path& checkpoint) {
  const RunState there = read_checkpoint(checkpoint).state;
  if (!there.finished)
    fail(ErrorKind::usage, "{} holds a run that was interrupted after epoch {}: resume it, or remove {} to start anew", out.string(),
         there.history.size(), checkpoint.string());
}

fs::path beside(const fs::path& out) {
  // "run/" is "run".
  fs::path path = out.has_filename() ? out : out.parent_path();
  return path += ".new";
}

std::string reason() { return std::strerror(errno); }

}  // namespace

bool holds_run(const fs::path& out) {
  for (const char* name : {kCheckpointFile, "model.safetensors", "metrics.json"})
    if (fs::exists(out / name)) return true;
  return !partial_checkpoints(out).empty();
}

void check_run_folder(const TrainOptions& options) {
  const fs::path out = options.out;
  if (!options.resume && !options.overwrite && holds_run(out)) {
    require_no_interrupted_run(out);
    fail(ErrorKind::usage, "{} holds a finished run: name another folder, or ask for it to be replaced (--overwrite)", out.string());
  }
  std::error_code error;
  fs::path there = fs::absolute(out.has_filename() ? out : out.parent_path());
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  if (!fs::is_directory(there, error)) fail(ErrorKind::io, "{}: cannot be created: {} is no folder", out.string(), there.string());
  try {
    require_writable(there / fmt::format(".fovea-{}", getpid()));
  } catch (const Error& failure) {
    fail(ErrorKind::io, "{}: no run can be written there: {}", out.string(), failure.what());
  }
}

RunFolder::RunFolder(const TrainOptions& options, uint64_t bytes) : out_(options.out), path_(out_) {
  if (options.overwrite) {
    const fs::path next = beside(out_);
    if (options.resume ? fs::exists(next) : holds_run(out_)) path_ = next;
  }
  made_ = !fs::exists(path_);
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) fail(ErrorKind::io, "{}: cannot be created: {}", path_.string(), error.message());
  try {
    lock();
    require_room(path_, bytes);
  } catch (...) {
    unlock();
    if (made_) fs::remove(path_, error);
    throw;
  }
  if (path_ == out_ || options.resume) return;
  for (const auto& entry : fs::directory_iterator(path_))  // of an attempt that was given up
    if (entry.path().filename() != kLockFile) fs::remove_all(entry.path());
}

RunFolder::~RunFolder() {
  unlock();
  std::error_code none;
  if (made_) fs::remove(path_, none);  // which does nothing to a folder that holds anything
}

// A lock of the system ends with the process, however that ends. A file that was removed meanwhile locks nothing.
void RunFolder::lock() {
  const fs::path path = path_ / kLockFile;
  for (;;) {
    lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock_ < 0) fail(ErrorKind::io, "{}: cannot write: {}", path.string(), reason());
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return;  // a file system without locks
      char writer[32] = {};
      const ssize_t length = ::pread(lock_, writer, sizeof writer - 1, 0);
      fail(ErrorKind::io, "{}: another training{} writes into this folder ({} is locked)", path_.string(),
           length > 0 ? fmt::format(" (process {})", std::atoi(writer)) : "", kLockFile);
    }
    struct stat own {
    }, named{};
    if (fstat(lock_, &own) == 0 && stat(path.c_str(), &named) == 0 && own.st_ino == named.st_ino) break;
    ::close(lock_);
  }
  const std::string writer = fmt::format("{}\n", getpid());
  (void)!::ftruncate(lock_, 0);
  (void)!::pwrite(lock_, writer.data(), writer.size(), 0);
}

void RunFolder::unlock() {
  if (lock_ < 0) return;
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) ::unlink((path_ / kLockFile).c_str());  // who waits for it looks at the name again
  ::close(std::exchange(lock_, -1));
}

void RunFolder::finish() {
  made_ = false;
  unlock();
  if (path_ == out_) return;
  // At one moment where the system can do that.
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, out_.c_str(), RENAME_EXCHANGE) != 0) {
    const fs::path old = fs::path(path_) += ".old";
    if (::rename(out_.c_str(), old.c_str()) != 0 || ::rename(path_.c_str(), out_.c_str()) != 0)
      fail(ErrorKind::io, "{}: cannot be put in the place of {}: {}", path_.string(), out_.string(), reason());
    path_ = old;
  }
  std::error_code none;
  fs::remove_all(path_, none);
  path_ = out_;
}

void require_no_interrupted_run(const fs::path& out) {
  const fs::path own = out / kCheckpointFile;
  if (fs::exists(own)) require_finished(out, own);
  const std::vector<fs::path> parts = partial_checkpoints(out);
  for (const fs::path& part : parts) require_finished(part.parent_path(), part);
  if (!parts.empty() && !fs::exists(own))
    fail(ErrorKind::usage, "{} holds a run of folds or seeds that was interrupted, the last part {}: resume it, or remove {} to start anew",
         out.string(), parts.back().parent_path().string(), out.string());
}

bool forget_runs(const fs::path& out) {
  std::vector<fs::path> checkpoints = partial_checkpoints(out);
  if (fs::exists(out / kCheckpointFile)) checkpoints.push_back(out / kCheckpointFile);
  // The whole run's last: killed between, it is as finished as it was.
  for (const fs::path& checkpoint : checkpoints) fs::remove(checkpoint);
  return !checkpoints.empty();
}

}  // namespace fovea::training
