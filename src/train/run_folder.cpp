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
#include <exception>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "train/checkpoint.h"
#include "train/feature_journal.h"

namespace fovea::training {
namespace {

namespace fs = std::filesystem;

bool is_part(const std::string& name) { return name.starts_with("fold-") || name.starts_with("seed-"); }

void collect(const fs::path& folder, std::vector<fs::path>& found) {
  std::error_code none;
  for (fs::directory_iterator entry(folder, none), end; !none && entry != end; entry.increment(none)) {
    const std::string name = entry->path().filename().string();
    if (!is_part(name)) continue;
    if (fs::exists(entry->path() / kCheckpointFile)) found.push_back(entry->path() / kCheckpointFile);
    if (name.starts_with("seed-")) collect(entry->path(), found);  // its folds
  }
}

// The folders of folds and seeds.
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

// Links are followed where the folder is there; "run/" is "run".
fs::path resolved(const fs::path& out) {
  std::error_code none;
  const fs::path there = fs::canonical(out, none);
  if (!none) return there;
  return out.has_filename() ? out : out.parent_path();
}

fs::path beside(const fs::path& out) { return fs::path(out) += ".new"; }

// Removes what a run writes, and its folders where nothing else is in them. What others put there stays.
void remove_run(const fs::path& folder) {
  std::error_code none;
  for (const char* name : {kCheckpointFile, kRunFile, kLockFile, "features.cache", "model.safetensors", "metrics.json", "history.csv",
                           "report.html", "predictions.csv", "out_of_fold.csv", "tensorboard/events.out.tfevents.fovea", "tensorboard"})
    fs::remove(folder / name, none);
  remove_journals(folder);
  std::vector<fs::path> parts;
  for (fs::directory_iterator entry(folder, none), end; !none && entry != end; entry.increment(none))
    if (is_part(entry->path().filename().string()) && entry->is_directory(none) && !entry->is_symlink(none)) parts.push_back(entry->path());
  for (const fs::path& part : parts) {
    remove_run(part);
    fs::remove(part, none);
  }
}

// Whether a training there, or one of its folds or seeds, has made a step. What cannot be read counts as one that has.
bool has_begun(const fs::path& folder) {
  std::vector<fs::path> checkpoints = partial_checkpoints(folder);
  checkpoints.push_back(folder / kCheckpointFile);
  return std::ranges::any_of(checkpoints, [](const fs::path& file) {
    if (!fs::exists(file)) return false;
    try {
      const RunState there = read_checkpoint(file).state;
      return there.finished || there.phase > 0 || there.step > 0 || !there.history.empty();
    } catch (const Error&) {
      return true;
    }
  });
}

// Moves what is in the one folder into the other, but for what has a namesake there.
void move_others(const fs::path& from, const fs::path& to) {
  std::error_code none;
  std::vector<fs::path> names;
  for (fs::directory_iterator entry(from, none), end; !none && entry != end; entry.increment(none))
    names.push_back(entry->path().filename());
  for (const fs::path& name : names)
    if (fs::symlink_status(to / name, none).type() == fs::file_type::not_found) fs::rename(from / name, to / name, none);
}

[[noreturn]] void fail_locked(const fs::path& folder, int lock) {
  char writer[32] = {};
  const ssize_t length = ::pread(lock, writer, sizeof writer - 1, 0);
  ::close(lock);
  fail(ErrorKind::io, "{}: another training{} writes into this folder ({} is locked)", folder.string(),
       length > 0 ? fmt::format(" (process {})", std::atoi(writer)) : "", kLockFile);
}

void require_unlocked(const fs::path& folder) {
  const int lock = ::open((folder / kLockFile).c_str(), O_RDONLY | O_CLOEXEC);
  if (lock < 0) return;
  if (::flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) fail_locked(folder, lock);
  ::close(lock);
}

std::string reason() { return std::strerror(errno); }

}  // namespace

bool holds_run(const fs::path& out) {
  for (const char* name : {kCheckpointFile, "model.safetensors", "metrics.json"})
    if (fs::exists(out / name)) return true;
  return !partial_checkpoints(out).empty();
}

void check_run_folder(const TrainOptions& options) {
  const fs::path out = options.run.out;
  require_unlocked(out);
  if (options.run.overwrite && holds_run(out)) {
    std::error_code none;
    const fs::path here = fs::current_path(none), to = resolved(out);
    if (std::ranges::mismatch(to, here).in1 == to.end())
      fail(ErrorKind::usage,
           "{}: a run is replaced with its folder, and this is the folder of the command itself or holds it: call it from elsewhere",
           out.string());
  }
  if (!options.run.resume && !options.run.overwrite && holds_run(out)) {
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

RunFolder::RunFolder(const TrainOptions& options, uint64_t bytes)
    : out_(options.run.overwrite ? resolved(options.run.out) : fs::path(options.run.out)),
      path_(out_),
      continues_(options.run.resume),
      exceptions_(std::uncaught_exceptions()) {
  if (options.run.overwrite) {
    const fs::path next = beside(out_);
    if (options.run.resume ? fs::exists(next) : holds_run(out_)) path_ = next;
  }
  made_ = !fs::exists(path_);
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) fail(ErrorKind::io, "{}: cannot be created: {}", path_.string(), error.message());
  try {
    lock_ = lock(path_);
    if (path_ != out_) replaced_lock_ = lock(out_);
    require_room(path_, bytes);
  } catch (...) {
    unlock();
    if (made_) fs::remove(path_, error);
    throw;
  }
  if (path_ == out_ || options.run.resume) return;
  remove_run(path_);  // of an attempt that was given up
}

RunFolder::~RunFolder() {
  std::error_code none;
  if (std::uncaught_exceptions() > exceptions_ && !continues_ && !has_begun(path_)) remove_run(path_);
  unlock();
  if (made_) fs::remove(path_, none);  // which does nothing to a folder that holds anything
}

// A lock of the system ends with the process, however that ends. A file that was removed meanwhile locks nothing.
int RunFolder::lock(const fs::path& folder) {
  const fs::path path = folder / kLockFile;
  int lock = -1;
  for (;;) {
    lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock < 0) fail(ErrorKind::io, "{}: cannot write: {}", path.string(), reason());
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return lock;  // a file system without locks
      fail_locked(folder, lock);
    }
    struct stat own {
    }, named{};
    if (fstat(lock, &own) == 0 && stat(path.c_str(), &named) == 0 && own.st_ino == named.st_ino) break;
    ::close(lock);
  }
  const std::string writer = fmt::format("{}\n", getpid());
  (void)!::ftruncate(lock, 0);
  (void)!::pwrite(lock, writer.data(), writer.size(), 0);
  return lock;
}

void RunFolder::unlock() {
  const auto release = [](int& lock, const fs::path& folder) {
    if (lock < 0) return;
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0) ::unlink((folder / kLockFile).c_str());  // who waits for it looks at the name again
    ::close(std::exchange(lock, -1));
  };
  release(lock_, path_);
  release(replaced_lock_, out_);
}

void RunFolder::finish() {
  made_ = false;
  if (path_ == out_) return unlock();
  // Where the system can, the two folders change their names at one moment.
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, out_.c_str(), RENAME_EXCHANGE) != 0) {
    const fs::path old = fs::path(path_) += ".old";
    if (::rename(out_.c_str(), old.c_str()) != 0 || ::rename(path_.c_str(), out_.c_str()) != 0)
      fail(ErrorKind::io, "{}: cannot be put in the place of {}: {}", path_.string(), out_.string(), reason());
    path_ = old;
  }
  // The run that was there is in path_ now, with whatever else lay beside it.
  std::swap(lock_, replaced_lock_);
  unlock();
  remove_run(path_);
  move_others(path_, out_);
  std::error_code none;
  fs::remove(path_, none);
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
  // The checkpoint of the whole run goes last: where the process is killed between, the run is as finished as it was.
  for (const fs::path& checkpoint : checkpoints) fs::remove(checkpoint);
  return !checkpoints.empty();
}

}  // namespace fovea::training
