#include "weights/hub.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "weights/hub_folder.h"
#include "weights/text.h"

namespace fovea::weights {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShardsAtOnce = 4;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool is_word(std::string_view text, std::string_view further) {
  const auto allowed = [&](unsigned char c) {
    return std::isalnum(c) != 0 || further.find(static_cast<char>(c)) != std::string_view::npos;
  };
  return !text.empty() && std::ranges::all_of(text, allowed) && text.find("..") == std::string_view::npos && text[0] != '/' &&
         text[0] != '.';
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

std::optional<fs::path> shared_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (const std::string own = environment(name); !own.empty()) return own;
  if (const std::string home = environment("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const std::string shared = environment("XDG_CACHE_HOME"); !shared.empty()) return fs::path(shared) / "huggingface" / "hub";
  if (const std::string home = environment("HOME"); !home.empty()) return fs::path(home) / ".cache" / "huggingface" / "hub";
  return std::nullopt;
}

// Everything that loading needs: the one file of weights, or all shards of an index.
bool is_complete(const fs::path& folder) {
  if (!is_hub_folder(folder)) return false;
  for (const char* name : kHubWeights) {
    if (is_there(folder / name)) return true;
    const fs::path index = folder / (std::string(name) + kIndexEnding);
    if (is_there(index)) return std::ranges::all_of(shards_of(index), [&](const std::string& shard) { return is_there(folder / shard); });
  }
  return false;
}

// Into fovea's own cache, where the files of a repository lie together; nothing where the repository does not have it.
std::optional<fs::path> fetch_own(const HubRepository& repository, const std::string& file, const FetchOptions& options) {
  FetchRequest request;
  request.file = file;
  request.target = hub_folder_in_cache(repository) / file;
  request.url = hub_url(repository, file);
  request.may_be_missing = true;
  FetchOptions with_token = options;
  if (with_token.download.token.empty()) with_token.download.token = environment("HF_TOKEN");
  return in_context(fmt::format("fetching {} of {}", file, repository.name), [&] { return fetch_file(request, with_token); });
}

// The progress of several files as that of one.
class SharedProgress {
 public:
  SharedProgress(const Progress& progress, size_t files) : progress_(progress), done_(files), total_(files) {}

  Progress of(size_t file) {
    return [this, file](int64_t done, int64_t total) {
      const std::lock_guard lock(mutex_);
      done_[file] = done;
      total_[file] = std::max(done, total);
      // What is not begun yet is taken to be as large as the mean of the others.
      const auto files = static_cast<int64_t>(total_.size()), known = std::max<int64_t>(1, files - std::ranges::count(total_, 0));
      const int64_t sum = std::accumulate(total_.begin(), total_.end(), int64_t{0});
      if (progress_) progress_(std::accumulate(done_.begin(), done_.end(), int64_t{0}), sum * files / known);
    };
  }

 private:
  const Progress& progress_;
  std::mutex mutex_;
  std::vector<int64_t> done_, total_;
};

// Several at the same time; the first error ends those that have not begun.
void fetch_shards(const HubRepository& repository, const std::vector<std::string>& shards, const FetchOptions& options) {
  SharedProgress progress(options.download.progress, shards.size());
  std::atomic<size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    for (size_t i = next++; i < shards.size(); i = next++) {
      try {
        FetchOptions own = options;
        own.download.progress = progress.of(i);
        if (!fetch_own(repository, shards[i], own)) fail(ErrorKind::io, "{} has no {}, which its index names", repository.name, shards[i]);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next = shards.size();
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (size_t i = 1; i < std::min(kShardsAtOnce, shards.size()); ++i) threads.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

HubRepository parse_hub_repository(std::string_view text) {
  HubRepository repository;
  const size_t at = text.find('@');
  repository.name = text.substr(0, at);
  if (at != std::string_view::npos) repository.revision = text.substr(at + 1);
  const size_t slash = repository.name.find('/');
  const std::string_view name = repository.name;
  if (slash == std::string::npos || !is_word(name.substr(0, slash), "._-") || !is_word(name.substr(slash + 1), "._-") ||
      !is_word(repository.revision, "._-/"))
    fail(ErrorKind::usage, "{} is no repository of a hub: OWNER/NAME or OWNER/NAME@REVISION expected", in_quotes(text));
  return repository;
}

std::string hub_url(const HubRepository& repository, const std::string& file) {
  std::string base = environment("FOVEA_WEIGHTS_URL");
  if (base.empty()) base = environment("HF_ENDPOINT");
  if (base.empty()) base = "https://huggingface.co";
  while (base.ends_with('/')) base.pop_back();
  return fmt::format("{}/{}/resolve/{}/{}", base, repository.name, replaced(repository.revision, "/", "%2F"), file);
}

fs::path hub_folder_in_cache(const HubRepository& repository) {
  return cache_directory() / "hub" / replaced(repository.name, "/", "--") / replaced(repository.revision, "/", "--");
}

std::optional<fs::path> hub_snapshot(const HubRepository& repository) {
  const auto cache = shared_cache();
  if (!cache) return std::nullopt;
  const fs::path folder = *cache / ("models--" + replaced(repository.name, "/", "--"));
  std::string commit = repository.revision;
  if (const fs::path reference = folder / "refs" / repository.revision; is_there(reference)) {
    commit = read_text(reference);
    while (!commit.empty() && std::isspace(static_cast<unsigned char>(commit.back()))) commit.pop_back();
  }
  const fs::path snapshot = folder / "snapshots" / commit;
  std::error_code error;
  if (!is_word(commit, "._-") || !fs::is_directory(snapshot, error)) return std::nullopt;
  return snapshot;
}

std::optional<fs::path> fetch_hub_file(const HubRepository& repository, const std::string& file, const FetchOptions& options) {
  if (const auto snapshot = hub_snapshot(repository); snapshot && is_there(*snapshot / file)) return *snapshot / file;
  return fetch_own(repository, file, options);
}

fs::path fetch_hub_folder(const HubRepository& repository, const FetchOptions& options) {
  if (const auto snapshot = hub_snapshot(repository); snapshot && is_complete(*snapshot)) return *snapshot;
  const fs::path folder = hub_folder_in_cache(repository);
  if (is_complete(folder)) return folder;
  if (!fetch_own(repository, "config.json", options))
    fail(ErrorKind::io, "{}: the repository is not there, or it has no config.json", repository.name);
  fetch_own(repository, "preprocessor_config.json", options);
  for (const char* name : kHubWeights) {
    if (fetch_own(repository, name, options)) return folder;
    const auto index = fetch_own(repository, std::string(name) + kIndexEnding, options);
    if (!index) continue;
    fetch_shards(repository, shards_of(*index), options);
    return folder;
  }
  fail(ErrorKind::io, "{}: the repository has no model.safetensors, no pytorch_model.bin and no index of shards of either",
       repository.name);
}

}  // namespace fovea::weights
