#include "project/tidy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace fovea::tidy {
namespace {

namespace fs = std::filesystem;

// What each layer of src/ includes directly; what those include is allowed too, and so is base, but for the command line.
const std::map<std::string, std::vector<std::string>>& edges() {
  static const std::map<std::string, std::vector<std::string>> table = {
      {"base", {}},
      {"ir", {"base"}},
      {"ops", {"ir"}},
      {"nn", {"ops"}},
      {"models", {"nn"}},
      {"passes", {"ops"}},
      {"autodiff", {"ops"}},
      {"backend", {"ir"}},
      {"backends/reference", {"backend", "ops"}},
      {"backends/cpu", {"backend", "ops"}},
      {"weights", {"base"}},
      {"image", {"base"}},
      {"explain", {"models"}},
      {"engine", {"passes", "autodiff", "backend", "weights", "nn", "models"}},
      {"look", {"engine", "image"}},
      {"train", {"look", "engine", "image", "audit", "weights", "nn", "models"}},
      {"export", {"engine"}},
      {"audit", {"image"}},
      {"saliency", {"engine", "image"}},
      {"report", {"train", "saliency", "audit"}},
      {"api", {"report", "explain", "export", "backends/reference", "backends/cpu"}},
      {"serve", {}},
      {"cli", {"serve"}},
  };
  return table;
}

std::set<std::string> reachable(const std::string& layer) {
  std::set<std::string> seen;
  std::vector<std::string> open{layer};
  while (!open.empty()) {
    const std::string next = open.back();
    open.pop_back();
    if (!seen.insert(next).second) continue;
    const auto found = edges().find(next);
    if (found != edges().end()) open.insert(open.end(), found->second.begin(), found->second.end());
  }
  return seen;
}

bool has_extension(const File& file, std::initializer_list<const char*> extensions) {
  const std::string extension = fs::path(file.path).extension().string();
  return std::any_of(extensions.begin(), extensions.end(), [&](const char* one) { return extension == one; });
}

bool is_cpp(const File& file) { return has_extension(file, {".h", ".cpp"}); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Calls body(number, line) for the lines of a Markdown text that are no code, with `code spans` blanked.
template <class Body>
void for_prose(const std::string& text, Body&& body) {
  static const std::regex span("`[^`]*`");
  bool fenced = false;
  int number = 0;
  for (const std::string& line : lines_of(text)) {
    ++number;
    if (line.rfind("```", 0) == 0) {
      fenced = !fenced;
    } else if (!fenced && line.rfind("    ", 0) != 0) {
      body(number, std::regex_replace(line, span, "``"), line);
    }
  }
}

// The name that a heading gets in links: "One op, one file" -> "one-op-one-file".
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const unsigned char c : heading) {
    if (std::isalnum(c) || c == '_' || c == '-' || c >= 0x80) anchor += static_cast<char>(std::tolower(c));
    if (c == ' ') anchor += '-';
  }
  return anchor;
}

std::set<std::string> anchors_of(const std::string& text) {
  std::set<std::string> anchors;
  for_prose(text, [&](int, const std::string&, const std::string& line) {
    const size_t marks = line.find_first_not_of('#');
    if (marks != 0 && marks != std::string::npos && line[marks] == ' ') anchors.insert(anchor_of(line.substr(marks + 1)));
  });
  return anchors;
}

bool wanted(const fs::path& path) {
  static const std::set<std::string> names = {"CMakeLists.txt", "run", ".clang-format", ".gitignore"};
  static const std::set<std::string> extensions = {".h", ".cpp", ".md", ".cmake", ".in", ".map", ".json", ".sh", ".py"};
  return names.count(path.filename().string()) || extensions.count(path.extension().string());
}

}  // namespace

std::vector<File> read_tree(const fs::path& root) {
  static const std::set<std::string> folders = {"include",  "src",   "tests",   "bench", "fuzz", "docs",
                                                "examples", "tools", "scripts", "cmake", ".ci",  "python"};
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
    if (!entry.is_directory() || !folders.count(entry.path().filename().string())) continue;
    for (const auto& inner : fs::recursive_directory_iterator(entry.path())) {
      if (inner.is_regular_file()) paths.push_back(inner.path());
    }
  }
  std::vector<File> files;
  for (const fs::path& path : paths) {
    const std::string relative = fs::relative(path, root).generic_string();
    if (!wanted(path) || relative.rfind("tests/data/", 0) == 0) continue;
    std::ifstream stream(path, std::ios::binary);
    files.push_back({relative, std::string(std::istreambuf_iterator<char>(stream), {})});
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.path < b.path; });
  return files;
}

std::string layer_of(const std::string& path) {
  const fs::path whole = path;
  const std::vector<std::string> parts(whole.begin(), whole.end());
  if (parts.size() > 2 && parts[0] == "src" && parts[1] == "backends") return parts[1] + "/" + parts[2];
  if (parts.size() > 1 && parts[0] == "src") return parts[1];
  if (parts.size() > 1 && parts[0] == "include") return "public";
  return parts.empty() ? "" : parts[0];
}

// Headers that nothing else includes, for those who have the other library.
bool is_adapted(const std::string& header, const std::string& target) {
  return (header == "include/fovea/opencv.h" && target.rfind("opencv2/", 0) == 0) ||
         (header == "include/fovea/dlpack.h" && target == "dlpack/dlpack.h");
}

Findings check_includes(const File& file) {
  static const std::regex include(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  if (!is_cpp(file)) return {};
  const std::string layer = layer_of(file.path);
  const bool in_src = file.path.rfind("src/", 0) == 0;
  Findings findings;
  if (in_src && !edges().count(layer))
    findings.push_back(fmt::format("{}:1: {} is no layer that the table of layers knows", file.path, layer));
  std::set<std::string> allowed = reachable(layer);
  if (in_src && layer != "cli") allowed.insert("base");

  int number = 0;
  for (const std::string& line : lines_of(file.text)) {
    ++number;
    std::smatch match;
    if (!std::regex_search(line, match, include)) continue;
    const std::string target = match[2];
    const auto report = [&](const std::string& what) { findings.push_back(fmt::format("{}:{}: {}", file.path, number, what)); };
    if (match[1] == "<") {
      const bool own = target.rfind("fovea/", 0) == 0;
      if (layer == "public" && !own && !is_adapted(file.path, target) && target.find_first_of("./") != std::string::npos) {
        report(fmt::format("public includes <{}>: a public header needs the standard library and <fovea/...> only", target));
      }
      if (in_src && layer != "backends/cpu" && (target.rfind("dnnl", 0) == 0 || target.rfind("oneapi/", 0) == 0)) {
        report(fmt::format("{} includes <{}>: only backends/cpu knows oneDNN", layer, target));
      }
      if (layer != "cli" && target == "nlohmann/json.hpp" && file.path != "src/base/json_value.h") {
        report(fmt::format("{} includes <{}>: \"base/json_value.h\" has it, and reads integers only from numbers that are", layer, target));
      }
      continue;
    }
    if (target.find("..") != std::string::npos)
      report(fmt::format("\"{}\": includes are written from src/, tests/ or the file's own folder", target));
    const std::string to = layer_of("src/" + target);
    if (layer == "public") report(fmt::format("public includes {} (\"{}\"): public headers include <fovea/...> only", to, target));
    if ((layer == "examples" || layer == "python") && target.find('/') != std::string::npos) {
      report(fmt::format("{0} includes {1} (\"{2}\"): {0} includes <fovea/...> only", layer, to, target));
    }
    if (in_src && !allowed.count(to)) {
      report(fmt::format("{} includes {} (\"{}\"): {} may include {}", layer, to, target, layer, fmt::join(allowed, ", ")));
    }
  }
  return findings;
}

Findings check_length(const File& file) {
  if (file.path.find(".md") != std::string::npos) return {};
  const auto lines = std::count(file.text.begin(), file.text.end(), '\n');
  if (lines <= kMostLines) return {};
  return {fmt::format("{}:{}: {} lines, {} are allowed", file.path, lines, lines, kMostLines)};
}

Findings check_characters(const File& file) {
  Findings findings;
  int number = 0;
  for (const std::string& line : lines_of(file.text)) {
    ++number;
    for (const unsigned char c : line) {
      if (c < 0x20 || c == 0x7f) {
        findings.push_back(fmt::format("{}:{}: control character 0x{:02x}", file.path, number, c));
        break;
      }
    }
    if (!line.empty() && line.back() == ' ') findings.push_back(fmt::format("{}:{}: trailing space", file.path, number));
  }
  if (!file.text.empty() && file.text.back() != '\n') findings.push_back(fmt::format("{}:{}: no newline at the end", file.path, number));
  if (file.text.size() > 1 && file.text.substr(file.text.size() - 2) == "\n\n") {
    findings.push_back(fmt::format("{}:{}: an empty line at the end", file.path, number));
  }
  return findings;
}

Findings check_words(const File& file) {
  // Written in halves, so that this file does not find itself.
  static const std::regex word(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X|HA"
      "CK)\\b");
  Findings findings;
  int number = 0;
  for (const std::string& line : lines_of(file.text)) {
    ++number;
    std::smatch match;
    if (std::regex_search(line, match, word)) findings.push_back(fmt::format("{}:{}: {} left behind", file.path, number, match[1].str()));
  }
  return findings;
}

Findings check_model(const File& file) {
  static const std::regex word(R"(\b(permute|transpose|DType|Device|backend)\b)");
  if (layer_of(file.path) != "models" || !is_cpp(file) || fs::path(file.path).stem() == "registry") return {};
  Findings findings;
  int number = 0;
  for (std::string line : lines_of(file.text)) {
    ++number;
    line = line.substr(0, line.find("//"));
    std::smatch match;
    if (std::regex_search(line, match, word)) {
      findings.push_back(fmt::format("{}:{}: a model's text knows nothing of \"{}\"", file.path, number, match[1].str()));
    }
  }
  return findings;
}

Findings check_name(const File& file) {
  static const std::regex snake_case("[a-z0-9]+(_[a-z0-9]+)*(-inl)?");  // -inl: Highway's mark for a file that is compiled once a target
  static const std::regex of_a_package(
      "_[a-z0-9]+(_[a-z0-9]+)*|__(init|main)__");  // Python's marks for what is private, and for two modules
  if (!is_cpp(file) && !has_extension(file, {".py", ".sh"})) return {};
  if (file.path.rfind("python/", 0) == 0 && std::regex_match(fs::path(file.path).stem().string(), of_a_package)) return {};
  if (std::regex_match(fs::path(file.path).stem().string(), snake_case)) return {};
  return {fmt::format("{}:1: file names are snake_case", file.path)};
}

Findings check_title(const File& file) {
  if (!has_extension(file, {".md"})) return {};
  Findings findings;
  if (file.text.rfind("# ", 0) != 0) findings.push_back(fmt::format("{}:1: no title (\"# ...\") on the first line", file.path));
  for_prose(file.text, [&](int number, const std::string&, const std::string& line) {
    if (number > 1 && line.rfind("# ", 0) == 0) findings.push_back(fmt::format("{}:{}: a second title, \"{}\"", file.path, number, line));
  });
  return findings;
}

Findings check_links(const File& file, const Reader& read) {
  static const std::regex link(R"(\]\(([^)\s]+)[^)]*\)|^\s*\[[^\]]+\]:\s*(\S+))");
  static const std::regex elsewhere("^[a-z]+:.*");
  if (!has_extension(file, {".md"})) return {};
  Findings findings;
  for_prose(file.text, [&](int number, const std::string& line, const std::string&) {
    for (std::sregex_iterator at(line.begin(), line.end(), link), end; at != end; ++at) {
      const std::string target = (*at)[1].matched ? (*at)[1] : (*at)[2];
      if (std::regex_match(target, elsewhere)) continue;
      const size_t mark = target.find('#');
      const std::string path = target.substr(0, mark);
      const fs::path whole = path.empty() ? fs::path(file.path) : (fs::path(file.path).parent_path() / path).lexically_normal();
      std::string text;
      if (!read(whole.generic_string(), text)) {
        findings.push_back(fmt::format("{}:{}: the link to {} leads nowhere ({})", file.path, number, target, whole.generic_string()));
      } else if (mark != std::string::npos && !anchors_of(text).count(target.substr(mark + 1))) {
        findings.push_back(fmt::format("{}:{}: {} has no heading for the link to {}", file.path, number, whole.generic_string(), target));
      }
    }
  });
  return findings;
}

}  // namespace fovea::tidy
