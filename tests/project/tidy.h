// What the project's own files must keep to. Each check takes a file and returns its findings as "path:line: what is wrong".
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace fovea::tidy {

struct File {
  std::string path;  // from the project's root, with '/'
  std::string text;
};

using Findings = std::vector<std::string>;

// Every text file of the project but its licence and the tests' data, in bytewise order of their paths.
std::vector<File> read_tree(const std::filesystem::path& root);

// "ops" for src/ops/..., "backends/cpu" for src/backends/cpu/..., "public" for include/fovea, the first folder for anything else.
std::string layer_of(const std::string& path);

// Layers include only what lies below them. Returns nothing for a file that is not C++.
Findings check_includes(const File& file);

constexpr int kMostLines = 800;
Findings check_length(const File& file);

// No trailing space, tab, control character or missing last newline.
Findings check_characters(const File& file);

// No note to self is left in a file.
Findings check_words(const File& file);

// A family's text knows no device, element type or memory order.
Findings check_model(const File& file);

// snake_case names for C++, Python and shell files.
Findings check_name(const File& file);

// Markdown: one title, on the first line.
Findings check_title(const File& file);

// Markdown: every relative link leads to a file (`read` returns false where there is none) and, after a '#', to a heading in it.
using Reader = std::function<bool(const std::string& path, std::string& text)>;
Findings check_links(const File& file, const Reader& read);

}  // namespace fovea::tidy
