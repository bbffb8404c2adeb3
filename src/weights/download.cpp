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

enum class Outcome { done, again, restart, missing };

struct Attempt {
  int descriptor = -1;
  CURL* curl = nullptr;
  const Progress* progress = nullptr;
  int64_t had = 0;       // bytes in the part before this attempt
  int64_t received = 0;  // of the body that was kept
  std::optional<int64_t> range_start;
  std::string digest, linked_digest;  // that the answers told, by either header
  int answers = 0;
  bool accepted = false;  // the answer is a body of the file
  std::string write_error;
  std::exception_ptr failure;  // of the caller's progress; no exception may pass through a C library
};

long status_of(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

// The SHA-256 in an entity tag; empty where it is another kind of tag.
std::string digest_in(std::string_view tag) {
  const size_t begin = tag.find('"');
  if (begin != std::string_view::npos) tag = tag.substr(begin + 1, tag.rfind('"') - begin - 1);
  while (!tag.empty() && std::isspace(static_cast<unsigned char>(tag.back()))) tag.remove_suffix(1);
  while (!tag.empty() && std::isspace(static_cast<unsigned char>(tag.front()))) tag.remove_prefix(1);
  return tag.size() == 64 && tag.find_first_not_of("0123456789abcdef") == std::string_view::npos ? std::string(tag) : "";
}

size_t on_header(char* data, size_t, size_t bytes, void* opaque) {
  auto& attempt = *static_cast<Attempt*>(opaque);
  std::string line(data, bytes);
  std::transform(line.begin(), line.end(), line.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (line.starts_with("http/")) {  // the next answer of a redirection
    attempt.range_start.reset();
    ++attempt.answers;
  }
  constexpr std::string_view kRange = "content-range: bytes ";
  if (line.starts_with(kRange)) {
    int64_t start = 0;
    const char* begin = line.data() + kRange.size();
    if (std::from_chars(begin, line.data() + line.size(), start).ec == std::errc()) attempt.range_start = start;
  }
  constexpr std::string_view kTag = "etag:", kLinkedTag = "x-linked-etag:";
  // Another server that the first one sends to counts otherwise.
  if (line.starts_with(kTag) && attempt.answers == 1) attempt.digest = digest_in(std::string_view(line).substr(kTag.size()));
  if (line.starts_with(kLinkedTag)) attempt.linked_digest = digest_in(std::string_view(line).substr(kLinkedTag.size()));
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
  if (!options.token.empty()) {  // which the library gives to no other host or port
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, options.token.c_str());
  }
  if (attempt.had > 0) curl_easy_setopt(curl, CURLOPT_RANGE, fmt::format("{}-", attempt.had).c_str());
}

int open_part(const std::filesystem::path& part) {
  const int descriptor = ::open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(ErrorKind::io, "{}: cannot write: {}", part.string(), std::strerror(errno));
  return descriptor;
}

// What went wrong with an attempt that ended without the file, or an empty text.
std::string reason_of(CURLcode code, long status, const char* detail, bool has_token) {
  if (code == CURLE_OK && status < 400) return "";
  if (status == 401 || status == 403)
    return fmt::format("the server answers {}: {}", status,
                       has_token ? "the token in HF_TOKEN is not allowed to read this"
                                 : "it asks for a token (HF_TOKEN), or there is nothing of this name");
  if (status >= 400) return fmt::format("the server answers {}", status);
  return *detail ? detail : curl_easy_strerror(code);
}

// What an attempt leaves.
struct Ended {
  Outcome outcome = Outcome::again;
  int64_t received = 0;
  std::string reason = {}, digest = {};
  std::chrono::seconds wait{0};  // that the server asks for
};

Ended attempt_once(const std::string& url, const std::filesystem::path& part, const DownloadOptions& options, bool may_be_missing) {
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
  Ended ended{Outcome::again, attempt.received};
  ended.digest = attempt.linked_digest.empty() ? attempt.digest : attempt.linked_digest;
  curl_off_t wait = 0;
  if (curl_easy_getinfo(curl.get(), CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0) ended.wait = std::chrono::seconds(wait);
  if (attempt.failure) std::rethrow_exception(attempt.failure);
  if (!attempt.write_error.empty()) fail(ErrorKind::io, "{}: cannot write: {}", part.string(), attempt.write_error);
  if (code == CURLE_OK && status == 200 && !attempt.accepted) accept(attempt);  // an empty file
  if (code == CURLE_OK && (status == 200 || (status == 206 && attempt.accepted))) ended.outcome = Outcome::done;
  if (attempt.had > 0 && (status == 416 || (status == 206 && !attempt.accepted))) ended.outcome = Outcome::restart;  // of another file
  if (status == 404 && may_be_missing) ended.outcome = Outcome::missing;
  if (ended.outcome != Outcome::again) return ended;
  ended.reason = reason_of(code, status, detail, !options.token.empty());
  if (ended.reason.empty()) ended.reason = fmt::format("the server answers {}", status);
  const bool hopeless = (status >= 400 && status < 500 && status != 408 && status != 429) || code == CURLE_UNSUPPORTED_PROTOCOL ||
                        code == CURLE_URL_MALFORMAT || code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_TOO_MANY_REDIRECTS;
  if (hopeless) fail(ErrorKind::io, "{}: {}", url, ended.reason);
  return ended;
}

}  // namespace

const char* why_no_download() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready ? nullptr : "libcurl (libcurl.so.4) is missing here or does not start";
}

Downloaded download(const std::string& url, const std::filesystem::path& part, const DownloadOptions& options, bool may_be_missing) {
  if (const char* why = why_no_download()) fail(ErrorKind::unsupported, "{}: {}", url, why);
  auto pause = options.first_pause;
  bool restarted = false;
  std::string reason = "the server sends another range than was asked for";
  for (int without_progress = 0; without_progress < options.attempts;) {
    Ended ended = attempt_once(url, part, options, may_be_missing);
    if (ended.outcome == Outcome::done) return {true, std::move(ended.digest)};
    if (ended.outcome == Outcome::missing) return {false, ""};
    if (ended.outcome == Outcome::restart && !restarted) {
      restarted = true;
      std::filesystem::remove(part);
      continue;
    }
    if (!ended.reason.empty()) reason = ended.reason;
    if (ended.received > 0) {
      without_progress = 0;
      pause = options.first_pause;
    } else {
      ++without_progress;
    }
    log("weights", "{}: {} after {} bytes", url, reason, ended.received);
    if (without_progress >= options.attempts) break;
    if (ended.wait > options.longest_wait) fail(ErrorKind::io, "{}: {}, and asks to wait for {} s", url, reason, ended.wait.count());
    std::this_thread::sleep_for(std::max<std::chrono::milliseconds>(pause, ended.wait));
    pause = std::min<std::chrono::milliseconds>(2 * pause, std::chrono::seconds(8));
  }
  fail(ErrorKind::io, "{}: {} ({} attempts without progress)", url, reason, options.attempts);
}

}  // namespace fovea::weights
