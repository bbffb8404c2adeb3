#include "weights/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

#include "base/error.h"
#include "base/log.h"

namespace fovea::weights {
namespace {

enum class Outcome { done, again, restart };

struct Attempt {
  int descriptor = -1;
  CURL* curl = nullptr;
  const Progress* progress = nullptr;
  int64_t had = 0;       // bytes in the part before this attempt
  int64_t received = 0;  // of the body that was kept
  std::optional<int64_t> range_start;
  bool accepted = false;  // the answer is a body of the file
  std::string write_error;
  std::exception_ptr failure;  // of the caller's progress; no exception may pass through a C library
};

long status_of(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

size_t on_header(char* data, size_t, size_t bytes, void* opaque) {
  auto& attempt = *static_cast<Attempt*>(opaque);
  std::string line(data, bytes);
  std::transform(line.begin(), line.end(), line.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (line.starts_with("http/")) attempt.range_start.reset();  // the next answer of a redirection
  constexpr std::string_view kRange = "content-range: bytes ";
  if (line.starts_with(kRange)) {
    int64_t start = 0;
    const char* begin = line.data() + kRange.size();
    if (std::from_chars(begin, line.data() + line.size(), start).ec == std::errc()) attempt.range_start = start;
  }
  return bytes;
}

// Before the first byte of a body: whether it continues the part, replaces it, or is not the file at all.
bool accept(Attempt& attempt) {
  const long status = status_of(attempt.curl);
  if (status == 206 && attempt.range_start == attempt.had) return true;
  if (status != 200) return false;
  if (ftruncate(attempt.descriptor, 0) != 0 || lseek(attempt.descriptor, 0, SEEK_SET) != 0) {
    attempt.write_error = std::strerror(errno);
    return false;
  }
  attempt.had = 0;
  return true;
}

size_t on_body(char* data, size_t, size_t bytes, void* opaque) {
  auto& attempt = *static_cast<Attempt*>(opaque);
  if (!attempt.accepted && !(attempt.accepted = accept(attempt))) return 0;  // ends the transfer
  for (size_t done = 0; done < bytes;) {
    const ssize_t count = ::write(attempt.descriptor, data + done, bytes - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      attempt.write_error = std::strerror(errno);
      return 0;
    }
    done += static_cast<size_t>(count);
  }
  attempt.received += static_cast<int64_t>(bytes);
  return bytes;
}

int on_progress(void* opaque, curl_off_t total, curl_off_t, curl_off_t, curl_off_t) {
  auto& attempt = *static_cast<Attempt*>(opaque);
  try {
    if (attempt.accepted && *attempt.progress) (*attempt.progress)(attempt.had + attempt.received, total > 0 ? attempt.had + total : 0);
  } catch (...) {
    attempt.failure = std::current_exception();
  }
  return attempt.failure ? 1 : 0;  // 1 ends the transfer
}

void configure(CURL* curl, Attempt& attempt, const std::string& url, const DownloadOptions& options) {
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "fovea");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1000L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stalled.count()));
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &attempt);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &attempt);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &attempt);
  if (attempt.had > 0) curl_easy_setopt(curl, CURLOPT_RANGE, fmt::format("{}-", attempt.had).c_str());
}

int open_part(const std::filesystem::path& part) {
  const int descriptor = ::open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(ErrorKind::io, "{}: cannot write: {}", part.string(), std::strerror(errno));
  return descriptor;
}

// What went wrong with an attempt that ended without the file, or an empty text.
std::string reason_of(CURLcode code, long status, const char* detail) {
  if (code == CURLE_OK && status < 400) return "";
  if (status >= 400) return fmt::format("the server answers {}", status);
  return *detail ? detail : curl_easy_strerror(code);
}

Outcome attempt_once(const std::string& url, const std::filesystem::path& part, const DownloadOptions& options, int64_t& received,
                     std::string& reason) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) fail(ErrorKind::io, "{}: the HTTP library cannot start", url);
  struct Descriptor {
    int value;
    ~Descriptor() { ::close(value); }
  } descriptor{open_part(part)};
  Attempt attempt;
  attempt.descriptor = descriptor.value;
  attempt.curl = curl.get();
  attempt.progress = &options.progress;
  attempt.had = lseek(descriptor.value, 0, SEEK_END);
  char detail[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, detail);
  configure(curl.get(), attempt, url, options);
  const CURLcode code = curl_easy_perform(curl.get());
  const long status = status_of(curl.get());
  received = attempt.received;
  if (attempt.failure) std::rethrow_exception(attempt.failure);
  if (!attempt.write_error.empty()) fail(ErrorKind::io, "{}: cannot write: {}", part.string(), attempt.write_error);
  if (code == CURLE_OK && status == 200 && !attempt.accepted) accept(attempt);  // an empty file
  if (code == CURLE_OK && (status == 200 || (status == 206 && attempt.accepted))) return Outcome::done;
  if (attempt.had > 0 && (status == 416 || (status == 206 && !attempt.accepted))) return Outcome::restart;  // the part is not of this file
  reason = reason_of(code, status, detail);
  if (reason.empty()) reason = fmt::format("the server answers {}", status);
  const bool hopeless = (status >= 400 && status < 500 && status != 408 && status != 429) || code == CURLE_UNSUPPORTED_PROTOCOL ||
                        code == CURLE_URL_MALFORMAT || code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_TOO_MANY_REDIRECTS;
  if (hopeless) fail(ErrorKind::io, "{}: {}", url, reason);
  return Outcome::again;
}

}  // namespace

const char* why_no_download() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready ? nullptr : "libcurl (libcurl.so.4) is missing here or does not start";
}

void download(const std::string& url, const std::filesystem::path& part, const DownloadOptions& options) {
  if (const char* why = why_no_download()) fail(ErrorKind::unsupported, "{}: {}", url, why);
  auto pause = options.first_pause;
  bool restarted = false;
  std::string reason = "the server sends another range than was asked for";
  for (int without_progress = 0; without_progress < options.attempts;) {
    int64_t received = 0;
    const Outcome outcome = attempt_once(url, part, options, received, reason);
    if (outcome == Outcome::done) return;
    if (outcome == Outcome::restart && !restarted) {
      restarted = true;
      std::filesystem::remove(part);
      continue;
    }
    if (received > 0) {
      without_progress = 0;
      pause = options.first_pause;
    } else {
      ++without_progress;
    }
    log("weights", "{}: {} after {} bytes", url, reason, received);
    if (without_progress >= options.attempts) break;
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::milliseconds>(2 * pause, std::chrono::seconds(8));
  }
  fail(ErrorKind::io, "{}: {} ({} attempts without progress)", url, reason, options.attempts);
}

}  // namespace fovea::weights
