#include "weights/name_map.h"

#include <fmt/ranges.h>

#include <optional>
#include <sstream>
#include <unordered_set>

#include "base/error.h"

namespace fovea::weights {
namespace {

// EfficientNet as first ported to PyTorch and as the Lite files are saved: all blocks numbered through, batch norms from 0; to timm's
// stages. A block without expansion has no _bn0 and, at timm, no conv_pwl.
constexpr std::string_view kEfficientNet = R"(
blocks blocks.*.*
_conv_stem.** -> conv_stem.$1
_bn0.** -> bn1.$1
_conv_head.** -> conv_head.$1
_bn1.** -> bn2.$1
_fc.** -> classifier.$1
_blocks.*._expand_conv.** -> blocks.#1.conv_pw.$2
_blocks.*._bn0.** -> blocks.#1.bn1.$2
_blocks.*._depthwise_conv.** -> blocks.#1.conv_dw.$2
_blocks.*._bn1.** -> blocks.#1.bn2.$2 if blocks.#1.conv_pwl.weight
_blocks.*._bn1.** -> blocks.#1.bn1.$2
_blocks.*._se_reduce.** -> blocks.#1.se.conv_reduce.$2
_blocks.*._se_expand.** -> blocks.#1.se.conv_expand.$2
_blocks.*._project_conv.** -> blocks.#1.conv_pwl.$2 if blocks.#1.conv_pwl.weight
_blocks.*._project_conv.** -> blocks.#1.conv_pw.$2
_blocks.*._bn2.** -> blocks.#1.bn3.$2 if blocks.#1.conv_pwl.weight
_blocks.*._bn2.** -> blocks.#1.bn2.$2
)";

// torchvision's DenseNet files keep the names of modules whose own names held a dot.
constexpr std::string_view kDenseNet = R"(
**denselayer*.norm.** -> $1denselayer$2.norm$3
**denselayer*.conv.** -> $1denselayer$2.conv$3
)";

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

}  // namespace

NameMap::NameMap(std::string name, std::string_view rules) : name_(std::move(name)) {
  std::istringstream lines{std::string(rules)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Rule rule;
    std::string arrow, keyword;
    if (!(words >> rule.pattern)) continue;
    if (rule.pattern == "blocks") {
      words >> blocks_;
      continue;
    }
    if (!(words >> arrow >> rule.replacement) || arrow != "->" || (words >> keyword && (keyword != "if" || !(words >> rule.condition)))) {
      fail(ErrorKind::internal, "name map {}: cannot read the rule '{}'", name_, line);
    }
    rules_.push_back(std::move(rule));
  }
}

std::vector<std::string> NameMap::apply(std::span<const std::string> file, std::span<const std::string> model) const {
  const std::unordered_set<std::string_view> known(model.begin(), model.end());
  const std::vector<std::string> blocks = list_blocks(blocks_, model);
  std::vector<std::string> result;
  for (const std::string& name : file) {
    std::string mapped = name;
    for (const Rule& rule : rules_) {
      std::vector<std::string_view> captures;
      if (name.size() > kLongestName || !match(rule.pattern, name, captures)) continue;
      const auto condition = substitute(rule.condition, captures, blocks);
      if (!condition || (!condition->empty() && !known.count(*condition))) continue;
      if (auto replaced = substitute(rule.replacement, captures, blocks)) {
        mapped = std::move(*replaced);
        break;
      }
    }
    result.push_back(std::move(mapped));
  }
  return result;
}

const std::vector<NameMap>& name_maps() {
  static const std::vector<NameMap> maps = {{"none", ""}, {"efficientnet-pytorch", kEfficientNet}, {"densenet-dotted", kDenseNet}};
  return maps;
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
    for (const std::string& name : map.apply(file, model)) hits += known.count(name);
    if (!best || hits > most) {
      best = &map;
      most = hits;
    }
    if (most == file.size()) break;
  }
  return *best;
}

}  // namespace fovea::weights
