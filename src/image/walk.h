// What lies in folders, at any depth: every entry is a file to look at, a folder that is looked into, or listed with the reason why it is
// not used.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace fovea::image {

// An entry of a folder, or a row or column of a table, of which no use is made.
struct Unused {
  std::string path, reason;
};

// "not used: a, b and 3 more (hidden)": a line for each reason, which names at most `most`; 0: all.
std::vector<std::string> lines_of(std::span<const Unused> unused, size_t most);

struct Entries {
  std::vector<std::string> folders, files;  // names of what lies directly in a folder, sorted bytewise; links to folders among the folders
};
// Hidden entries go to `unused`. Throws Error(input) for a folder that cannot be read.
Entries entries_in(const std::filesystem::path& folder, std::vector<Unused>& unused);

// For each of the folders, which lie in `root`, its files at any depth, sorted bytewise; among them what may turn out to be no picture:
// links that lead nowhere, pipes, devices. Links to folders are followed, each folder once: what is there without a link comes first, then
// the links in their order. A link that leads to a folder that is looked at already, or to one that `root` lies in, is not used.
std::vector<std::vector<std::string>> files_in(const std::filesystem::path& root, std::span<const std::filesystem::path> folders,
                                               std::vector<Unused>& unused);

}  // namespace fovea::image
