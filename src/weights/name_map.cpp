#include "weights/name_map.h"

#include <fmt/ranges.h>

#include <iterator>
#include <optional>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "base/error.h"

namespace fovea::weights {
namespace {

// No real name is longer; matching takes time that grows with a power of the length.
constexpr size_t kLongestName = 512;

// What each wildcard of `pattern` stands for in `text`; the shortest that fits, left to right.
bool match(std::string_view pattern, std::string_view text, std::vector<std::string_view>& captures) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (text.substr(0, star) != pattern.substr(0, star)) return false;
  const bool any = pattern.substr(star).starts_with("**");
  const std::string_view rest = pattern.substr(star + (any ? 2 : 1));
  text.remove_prefix(star);
  for (size_t length = 0; length <= text.size(); ++length) {
    if (length > 0 && !any && text[length - 1] == '.') return false;
    captures.push_back(text.substr(0, length));
    if (match(rest, text.substr(length), captures)) return true;
    captures.pop_back();
  }
  return false;
}

// The distinct "A.B" for which the model has a name that begins with "blocks.A.B.", in the model's order.
std::vector<std::string> list_blocks(const std::string& pattern, std::span<const std::string> model) {
  std::vector<std::string> result;
  if (pattern.empty()) return result;
  for (const std::string& name : model) {
    std::vector<std::string_view> captures;
    if (!match(pattern + ".**", name, captures)) continue;
    captures.pop_back();
    std::string block = fmt::format("{}", fmt::join(captures, "."));
    if (result.empty() || result.back() != block) result.push_back(std::move(block));
  }
  return result;
}

std::optional<std::string> substitute(std::string_view text, const std::vector<std::string_view>& captures,
                                      const std::vector<std::string>& blocks) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] != '$' && text[i] != '#') || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    const std::string_view capture = captures.at(static_cast<size_t>(text[i + 1] - '1'));
    if (text[i++] == '$') {
      result += capture;
      continue;
    }
    size_t place = 0;
    for (char digit : capture) {
      if (digit < '0' || digit > '9' || place > 100000) return std::nullopt;
      place = place * 10 + static_cast<size_t>(digit - '0');
    }
    if (capture.empty() || place >= blocks.size()) return std::nullopt;
    result += blocks[place];
  }
  return result;
}

// "2..4" as "2", "3", "4"; anything else as itself.
std::vector<std::string> entries_of(const std::string& list) {
  std::vector<std::string> entries;
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t dots = part.find("..");
    if (dots == std::string::npos) {
      entries.push_back(part);
      continue;
    }
    const int last = std::stoi(part.substr(dots + 2));
    for (int number = std::stoi(part.substr(0, dots)); number <= last; ++number) entries.push_back(std::to_string(number));
  }
  return entries;
}

// A text around its first list in braces.
struct Braces {
  std::string before, after;
  std::vector<std::string> entries;
};

std::optional<Braces> first_braces(const std::string& text) {
  const size_t open = text.find('{'), close = text.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  return Braces{text.substr(0, open), text.substr(close + 1), entries_of(text.substr(open + 1, close - open - 1))};
}

// The rules that a rule with lists in braces stands for.
std::vector<std::pair<std::string, std::string>> expand(const std::string& left, const std::string& right) {
  const auto a = first_braces(left), b = first_braces(right);
  if (!a && !b) return {{left, right}};
  if (!a || !b || a->entries.size() != b->entries.size()) fail(ErrorKind::internal, "name map: the lists of {} and {} differ", left, right);
  std::vector<std::pair<std::string, std::string>> result;
  for (size_t i = 0; i < a->entries.size(); ++i)
    for (auto& pair : expand(a->before + a->entries[i] + a->after, b->before + b->entries[i] + b->after)) result.push_back(std::move(pair));
  return result;
}

// A pattern as a replacement: its wildcards as $1, $2 and on.
std::string with_references(const std::string& pattern) {
  std::string result;
  int count = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '*') {
      result += pattern[i];
      continue;
    }
    if (pattern.substr(i, 2) == "**") ++i;
    result += "$" + std::to_string(++count);
  }
  return result;
}

}  // namespace

NameMap::NameMap(std::string name, std::string_view rules, Direction direction) : name_(std::move(name)) {
  std::istringstream lines{std::string(rules)};
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) read_rule(line, direction);
  }
}

void NameMap::read_rule(const std::string& line, Direction direction) {
  std::istringstream text(line);
  const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
  const bool backward = direction == Direction::backward;
  const auto is = [&](size_t count, size_t place, std::string_view word) { return words.size() == count && words[place] == word; };
  if (is(2, 0, "blocks")) {
    blocks_ = words[1];
  } else if (is(2, 0, "drop")) {
    if (!backward) rules_.push_back({words[1], "", "", true});
  } else if (is(3, 1, "<->")) {
    for (const auto& [left, right] : expand(words[0], words[2]))
      rules_.push_back(backward ? Rule{right, with_references(left), ""} : Rule{left, with_references(right), ""});
  } else if (is(3, 1, "->") || (is(5, 1, "->") && words[3] == "if")) {
    for (const auto& [pattern, replacement] : expand(words[0], words[2]))
      if (!backward) rules_.push_back({pattern, replacement, words.size() == 5 ? words[4] : ""});
  } else {
    fail(ErrorKind::internal, "name map {}: cannot read the rule '{}'", name_, line);
  }
}

std::vector<std::string> NameMap::apply(std::span<const std::string> file, std::span<const std::string> model) const {
  const std::unordered_set<std::string_view> known(model.begin(), model.end());
  const std::vector<std::string> blocks = list_blocks(blocks_, model);
  const auto mapped = [&](const std::string& name) {
    std::optional<std::string> first;
    for (const Rule& rule : rules_) {
      std::vector<std::string_view> captures;
      if (name.size() > kLongestName || !match(rule.pattern, name, captures)) continue;
      if (rule.drop) return std::string();
      const auto condition = substitute(rule.condition, captures, blocks);
      if (!condition || (!condition->empty() && !known.count(*condition))) continue;
      auto replaced = substitute(rule.replacement, captures, blocks);
      if (replaced && known.count(*replaced)) return std::move(*replaced);
      if (!first) first = std::move(replaced);
    }
    return first.value_or(name);
  };
  std::vector<std::string> result;
  for (const std::string& name : file) result.push_back(mapped(name));
  return result;
}

const NameMap& find_name_map(std::string_view name) {
  std::vector<std::string_view> names;
  for (const NameMap& map : name_maps()) {
    if (map.name() == name) return map;
    names.push_back(map.name());
  }
  fail(ErrorKind::usage, "there is no name map '{}'; there are {}", name, fmt::join(names, ", "));
}

const NameMap& choose_name_map(std::span<const std::string> file, std::span<const std::string> model) {
  const std::unordered_set<std::string_view> known(model.begin(), model.end());
  const NameMap* best = nullptr;
  size_t most = 0;
  for (const NameMap& map : name_maps()) {
    size_t hits = 0;
    for (const std::string& name : map.apply(file, model)) hits += name.empty() || known.count(name);
    if (!best || hits > most) {
      best = &map;
      most = hits;
    }
    if (most == file.size()) break;
  }
  return *best;
}

}  // namespace fovea::weights
