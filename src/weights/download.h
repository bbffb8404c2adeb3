// One file over HTTP, continued where a broken connection left it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace fovea::weights {

// Bytes there are so far, and in all (0 while that is not known).
using Progress = std::function<void(int64_t bytes_done, int64_t bytes_total)>;

struct DownloadOptions {
  std::string token;  // sent to the first server as a bearer's, and to no other that it redirects to; empty: none
  Progress progress;
  int attempts = 5;                                       // in a row that bring not a single byte
  std::chrono::milliseconds first_pause{250};             // before the second attempt; doubles from one to the next
  std::chrono::milliseconds longest_wait{300'000};        // of what a server asks for by Retry-After
  std::chrono::seconds connect_timeout{30}, stalled{60};  // no connection; fewer than 1000 bytes a second
};

struct Downloaded {
  bool found = true;   // false: the server answers 404, and that was allowed
  std::string sha256;  // of the whole file, as the first server told it (X-Linked-ETag, or ETag); empty: it told none
};

// Appends to `part` what it lacks of the file at `url`. A server that ignores the range starts it over; one that throttles (429, 503) is
// waited for as long as it says. Throws Error(io) with the server's answer or the last attempt's reason; `part` stays for the next time.
Downloaded download(const std::string& url, const std::filesystem::path& part, const DownloadOptions& options, bool may_be_missing = false);

// Why no file can be downloaded at all, as a part of a sentence; null where one can.
const char* why_no_download();

}  // namespace fovea::weights
