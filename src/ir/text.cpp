// The text of a graph: one line an input, state, node and output.
//
//   input image f32[2,3,224,224]
//   parameter conv1.weight f32[64,3,7,7] stored=[64,3,7,7] init=normal:0.03
//   %0 = conv2d(image, conv1.weight) stride=2,2 padding=3,3,3,3 groups=1 @conv1
//   %1, %2 = max_pool2d(%0) kernel=3,3 stride=2,2 padding=1,1,1,1 @maxpool
//   next bn1.running_mean = %7
//   output logits = %9
#include <array>
#include <charconv>
#include <map>

#include "base/error.h"
#include "ir/graph.h"

namespace fovea {
namespace {

constexpr std::array<const char*, 3> kRoles{"parameter", "buffer", "optimizer"};
constexpr std::array<const char*, 4> kInits{"constant", "uniform", "normal", "truncated_normal"};

class Printer {
 public:
  explicit Printer(const Graph& graph) : graph_(graph), names_(graph.value_count()) {
    size_t next = 0;
    for (const NamedValue& input : graph.inputs()) names_[input.value.index] = input.name;
    for (const State& state : graph.states()) names_[state.value.index] = state.name;
    for (const NodeInfo& node : graph.nodes())
      for (ValueId id : node.outputs) names_[id.index] = fmt::format("%{}", next++);
  }

  std::string print() const {
    std::string text;
    for (const NamedValue& input : graph_.inputs()) text += fmt::format("input {} {}\n", input.name, to_string(graph_.type(input.value)));
    for (const State& state : graph_.states()) {
      text += fmt::format("{} {} {} stored={} init={}:{}\n", kRoles[static_cast<size_t>(state.role)], state.name,
                          to_string(graph_.type(state.value)), shape_string(state.stored_shape),
                          kInits[static_cast<size_t>(state.init.kind)], state.init.value);
    }
    for (const NodeInfo& node : graph_.nodes()) {
      const std::string attributes = node.op.attributes();
      text += fmt::format("{} = {}({}){}{} @{}\n", list(node.outputs), node.op.name(), list(node.inputs), attributes.empty() ? "" : " ",
                          attributes, node.name);
    }
    for (const State& state : graph_.states())
      if (state.next.valid()) text += fmt::format("next {} = {}\n", state.name, names_[state.next.index]);
    for (const NamedValue& output : graph_.outputs()) text += fmt::format("output {} = {}\n", output.name, names_[output.value.index]);
    return text;
  }

 private:
  std::string list(std::span<const ValueId> ids) const {
    std::string text;
    for (ValueId id : ids) text.append(text.empty() ? "" : ", ").append(names_[id.index]);
    return text;
  }

  const Graph& graph_;
  std::vector<std::string> names_;
};

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    text = at == std::string_view::npos ? std::string_view() : text.substr(at + separator.size());
  }
  return parts;
}

class Parser {
 public:
  explicit Parser(ParseOp parse_op) : parse_op_(parse_op) {}

  Graph parse(std::string_view text) {
    size_t number = 0;
    for (std::string_view line : split(text, "\n")) {
      ++number;
      if (line.empty() || line.front() == '#') continue;
      in_context(fmt::format("line {}", number), [&] { parse_line(line); });
    }
    return std::move(graph_);
  }

 private:
  ValueId find(std::string_view name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) fail(ErrorKind::format, "'{}' is not defined yet", name);
    return found->second;
  }

  void define(std::string_view name, ValueId id) {
    if (!values_.emplace(name, id).second) fail(ErrorKind::format, "'{}' is defined twice", name);
  }

  void parse_line(std::string_view line) {
    const auto words = split(line, " ");
    for (size_t role = 0; role < kRoles.size(); ++role)
      if (words[0] == kRoles[role]) return parse_state(words, static_cast<StateRole>(role));
    if (words[0] == "input" && words.size() == 3) return define(words[1], graph_.input(std::string(words[1]), parse_type(words[2])));
    if (words[0] == "next" && words.size() == 4) return graph_.set_next(words[1], find(words[3]));
    if (words[0] == "output" && words.size() == 4) return graph_.output(std::string(words[1]), find(words[3]));
    parse_node(line);
  }

  void parse_state(const std::vector<std::string_view>& words, StateRole role) {
    if (words.size() != 5 || !words[3].starts_with("stored=") || !words[4].starts_with("init="))
      fail(ErrorKind::format, "no state: five words expected");
    const auto stored = parse_type("f32" + std::string(words[3].substr(7))).shape;
    const std::string_view init_text = words[4].substr(5);
    const size_t colon = init_text.find(':');
    Init init;
    for (size_t kind = 0; kind < kInits.size(); ++kind)
      if (init_text.substr(0, colon) == kInits[kind]) init.kind = static_cast<Init::Kind>(kind);
    parse_field(init_text.substr(colon + 1), init.value);
    const std::vector<int64_t> stored_shape(stored.dims().begin(), stored.dims().end());
    define(words[1], graph_.state(std::string(words[1]), parse_type(words[2]), role, stored_shape, init));
  }

  void parse_node(std::string_view line) {
    const size_t equals = line.find(" = "), open = line.find('(', equals), close = line.find(')', open), at = line.find(" @", close);
    if (at == std::string_view::npos) fail(ErrorKind::format, "no node: '%0 = name(inputs) attributes @scope' expected");
    std::vector<ValueId> inputs;
    for (std::string_view name : split(line.substr(open + 1, close - open - 1), ", ")) inputs.push_back(find(name));
    FieldTexts fields;
    for (std::string_view word : split(line.substr(close + 1, at - close - 1), " ")) {
      const size_t sign = word.find('=');
      if (!word.empty()) fields.emplace(word.substr(0, sign), word.substr(sign + 1));
    }
    const auto outputs =
        graph_.add(parse_op_(line.substr(equals + 3, open - equals - 3), std::move(fields)), inputs, std::string(line.substr(at + 2)));
    const auto names = split(line.substr(0, equals), ", ");
    if (names.size() != outputs.size()) fail(ErrorKind::format, "{} results named, {} made", names.size(), outputs.size());
    for (size_t k = 0; k < names.size(); ++k) define(names[k], outputs[k]);
  }

  ParseOp parse_op_;
  Graph graph_;
  std::map<std::string, ValueId, std::less<>> values_;
};

}  // namespace

std::string print(const Graph& graph) { return Printer(graph).print(); }
Graph parse(std::string_view text, ParseOp parse_op) { return Parser(parse_op).parse(text); }

}  // namespace fovea
