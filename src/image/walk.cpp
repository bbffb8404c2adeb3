#include "image/walk.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"

namespace fovea::image {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHidden = "hidden";

// What tells folders apart, however they are reached.
using Identity = std::pair<dev_t, ino_t>;

Identity identity_of(const fs::path& folder) {
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) fail(ErrorKind::input, "{}: {}", folder.string(), std::strerror(errno));
  return {info.st_dev, info.st_ino};
}

class Walk {
 public:
  Walk(const fs::path& root, std::vector<Unused>& unused) : unused_(unused) {
    std::error_code error;
    for (fs::path above = fs::canonical(root, error); !error && above.has_relative_path(); above = above.parent_path())
      above_.insert(identity_of(above));
    above_.insert(identity_of("/"));
  }

  void look_into(const fs::path& folder, std::vector<std::string>& files) {
    seen_.emplace(identity_of(folder), folder.string());
    const Entries entries = entries_in(folder, unused_);
    for (const std::string& name : entries.files) files.push_back((folder / name).string());
    for (const std::string& name : entries.folders) {
      std::error_code ignored;
      const fs::path path = folder / name;
      if (fs::is_symlink(path, ignored))
        links_.push_back({path, &files});
      else
        look_into(path, files);
    }
  }

  void follow_links() {
    for (; !links_.empty(); links_.pop_front()) {
      const auto [path, files] = links_.front();
      const Identity identity = identity_of(path);
      const auto seen = seen_.find(identity);
      if (seen != seen_.end())
        unused_.push_back({path.string(), "a link to a folder that is looked at already, " + seen->second});
      else if (above_.contains(identity))
        unused_.push_back({path.string(), "a link to a folder that this one lies in"});
      else
        look_into(path, *files);
    }
  }

 private:
  struct Link {
    fs::path path;
    std::vector<std::string>* files;
  };
  std::vector<Unused>& unused_;
  std::set<Identity> above_;
  std::map<Identity, std::string> seen_;
  std::deque<Link> links_;
};

}  // namespace

std::vector<std::string> lines_of(std::span<const Unused> unused, size_t most) {
  std::vector<std::string> reasons;
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const Unused& one : unused) {
    if (!by_reason.contains(one.reason)) reasons.push_back(one.reason);
    by_reason[one.reason].push_back(one.path);
  }
  std::vector<std::string> lines;
  for (const std::string& reason : reasons) {
    std::vector<std::string>& paths = by_reason[reason];
    const size_t named = most == 0 ? paths.size() : std::min(most, paths.size()), more = paths.size() - named;
    paths.resize(named);
    lines.push_back(fmt::format("not used: {}{} ({})", fmt::join(paths, ", "), more > 0 ? fmt::format(" and {} more", more) : "", reason));
  }
  return lines;
}

Entries entries_in(const fs::path& folder, std::vector<Unused>& unused) {
  Entries entries;
  std::vector<std::string> hidden;
  std::error_code error, ignored;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (name.starts_with('.'))
      hidden.push_back(std::move(name));
    else
      (entry->is_directory(ignored) ? entries.folders : entries.files).push_back(std::move(name));
  }
  if (error) fail(ErrorKind::input, "{}: {}", folder.string(), error.message());
  for (std::vector<std::string>* names : {&entries.folders, &entries.files, &hidden}) std::ranges::sort(*names);
  for (const std::string& name : hidden) unused.push_back({(folder / name).string(), kHidden});
  return entries;
}

std::vector<std::vector<std::string>> files_in(const fs::path& root, std::span<const fs::path> folders, std::vector<Unused>& unused) {
  Walk walk(root, unused);
  std::vector<std::vector<std::string>> files(folders.size());
  for (size_t i = 0; i < folders.size(); ++i) walk.look_into(folders[i], files[i]);
  walk.follow_links();
  for (std::vector<std::string>& some : files) std::ranges::sort(some);
  return files;
}

}  // namespace fovea::image
