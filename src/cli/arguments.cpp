#include "cli/arguments.h"

#include <fovea/error.h>
#include <fovea/train.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <span>
#include <sstream>
#include <utility>

#include "cli/terminal.h"

namespace fovea::cli {

Argument& Argument::type(std::string_view name) {
  option_.type_name(std::string(name));
  return *this;
}

Argument& Argument::required() {
  option_.required();
  return *this;
}

Argument& Argument::shows_default() {
  option_.capture_default_str();
  return *this;
}

Argument& Argument::shows_default(std::string_view text) {
  option_.default_str(std::string(text));
  return *this;
}

namespace {

// Says what is wrong with a number's text; empty: nothing is. Before CLI11 converts it, which tells no range.
CLI::Validator within(OptionRange range) {
  return {[range](std::string& text) -> std::string {
            char* end = nullptr;
            const double value = std::strtod(text.c_str(), &end);
            const bool number = end != text.c_str() && *end == '\0';
            const bool digits = !range.whole || text.find_first_not_of("+-0123456789") == std::string::npos;
            if (number && digits && range.contains(value)) return "";
            return text + " is given, " + range.words() + " expected";
          },
          ""};
}

std::string require_unsigned(std::string& text) {
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && stop == text.data() + text.size()) return "";
  return text + " is given, a whole number from 0 to " + std::to_string(std::numeric_limits<uint64_t>::max()) + " expected";
}

// "500M", "2Gi" as bytes.
std::string bytes_of(std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  std::string unit(end);
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (!unit.empty() && unit.back() == 'b') unit.pop_back();
  constexpr std::string_view kUnits = "kmgt";
  const size_t power = unit.empty() ? 0 : kUnits.find(unit[0]) + 1;  // 0 also where it is none of them
  const bool binary = unit.size() == 2 && unit[1] == 'i';
  const double bytes = number * std::pow(binary ? 1024 : 1000, static_cast<double>(power));
  const bool known = unit.empty() || (power > 0 && (unit.size() == 1 || binary));
  if (end == text.c_str() || !known || !(bytes >= 0 && bytes < 1e18))
    return text + " is given, a size of 0 or more expected, as 500M or 2G";
  text = std::to_string(static_cast<int64_t>(bytes));
  return "";
}

// The fewest letters to insert, delete or change.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

// ", did you mean NAME?", or nothing where no name is near.
std::string suggestion(const std::string& typed, const std::vector<std::string>& names) {
  std::string best;
  size_t least = std::max<size_t>(2, typed.size() / 3) + 1;
  for (const std::string& name : names) {
    // What is typed too short, or too long, means the same.
    const bool begins = typed.size() > 2 && (name.starts_with(typed) || typed.starts_with(name));
    const size_t away = begins ? 1 : distance(typed, name);
    if (away < least) least = away, best = name;
  }
  return best.empty() ? "" : ", did you mean " + best + "?";
}

}  // namespace

Argument& Argument::positive() {
  option_.check(within({.option = "", .least = 1, .most = 1e18, .whole = true}));
  return *this;
}

Argument& Argument::not_negative() {
  option_.check(within({.option = "", .least = 0, .most = 1e9}));
  return *this;
}

Argument& Argument::between(int least, int most) {
  option_.check(within({.option = "", .least = static_cast<double>(least), .most = static_cast<double>(most), .whole = true}));
  return *this;
}

Argument& Argument::seed() {
  option_.check(CLI::Validator(require_unsigned, ""));
  return *this;
}

Argument& Argument::in_range() {
  option_.check(within(option_range(option_.get_lnames().front())));
  return *this;
}

Argument& Argument::one_of(const std::vector<std::string>& names) {
  option_.check(CLI::Validator(
      [names](std::string& text) -> std::string {
        if (std::find(names.begin(), names.end(), text) != names.end()) return "";
        return text + " is given, one of " + CLI::detail::join(names, ", ") + " expected" + suggestion(text, names);
      },
      ""));
  return type(CLI::detail::join(names, "|"));
}

Argument& Argument::bytes() {
  option_.transform(CLI::Validator(bytes_of, ""));
  return type("SIZE");
}

Argument& Argument::each() {
  option_.expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return *this;
}

Argument& Argument::needs(std::string_view option) {
  option_.needs(std::string(option));
  return *this;
}

template <class Value>
Argument Command::option(std::string_view names, Value& value, std::string_view help) {
  return Argument(*app_.add_option(std::string(names), value, std::string(help)));
}

template <class Value>
Argument Command::positional(std::string_view name, Value& value, std::string_view help) {
  return option(name, value, help).required().type("");
}

template Argument Command::option(std::string_view, std::string&, std::string_view);
template Argument Command::option(std::string_view, std::vector<std::string>&, std::string_view);
template Argument Command::option(std::string_view, int&, std::string_view);
template Argument Command::option(std::string_view, int64_t&, std::string_view);
template Argument Command::option(std::string_view, double&, std::string_view);
template Argument Command::positional(std::string_view, std::string&, std::string_view);
template Argument Command::positional(std::string_view, std::vector<std::string>&, std::string_view);

void Command::flag(std::string_view name, bool& value, std::string_view help) {
  app_.add_flag(std::string(name), value, std::string(help));
}

void Command::group(std::string_view title) { app_.option_defaults()->group(std::string(title)); }

void Command::footer(std::string_view text) { app_.footer(std::string(text)); }

Command Command::command(std::string_view name, std::string_view help) {
  app_.require_subcommand(1);
  return {*app_.add_subcommand(std::string(name), std::string(help)), chosen_};
}

void Command::runs(Run run) {
  app_.callback([this_run = std::move(run), &chosen = chosen_] { chosen = this_run; });
}

namespace {

constexpr size_t kColumns = 100, kHelpColumn = 34;  // of the help; where the words about an option begin

// A line no longer than kColumns where words allow it: what does not fit begins a line after so many blanks.
std::string at_most_columns(const std::string& line, size_t indent) {
  std::string result = line;
  for (size_t begin = 0; result.size() - begin > kColumns;) {
    const size_t first = begin + std::min(result.size() - begin, std::max(indent, result.find_first_not_of(' ', begin) - begin)) + 1;
    size_t blank = result.rfind(' ', begin + kColumns);
    if (blank == std::string::npos || blank < first) blank = result.find(' ', begin + kColumns);
    if (blank == std::string::npos) break;
    result.replace(blank, 1, "\n" + std::string(indent, ' '));
    begin = blank + 1;
  }
  return result;
}

// Paragraphs are filled; lines that begin with a blank, as examples do, stay lines.
std::string filled(const std::string& text) {
  std::string result, paragraph;
  const auto end_paragraph = [&] {
    if (!paragraph.empty()) result += at_most_columns(paragraph, 0) + "\n";
    paragraph.clear();
  };
  for (const std::string& line : CLI::detail::split(text, '\n')) {
    const bool is_example = line.starts_with(' ');
    if (line.empty() || is_example) end_paragraph();
    if (line.empty())
      result += "\n";
    else if (is_example)
      result += at_most_columns(line, 4) + "\n";
    else
      paragraph += (paragraph.empty() ? "" : " ") + line;
    if (line.ends_with(':')) end_paragraph();
  }
  end_paragraph();
  return result;
}

class NarrowHelp : public CLI::Formatter {
 public:
  NarrowHelp() { column_width(kHelpColumn); }

  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string result;
    for (const std::string& line : CLI::detail::split(CLI::Formatter::make_option(option, is_positional), '\n'))
      if (!line.empty()) result += at_most_columns(line, kHelpColumn) + "\n";
    return result;
  }
  std::string make_footer(const CLI::App* app) const override {
    const std::string text = app->get_footer();
    return text.empty() ? text : filled(text);
  }
};

}  // namespace

Program::Program(std::string_view name, std::string_view help, std::string_view version)
    : app_(std::make_unique<CLI::App>(std::string(help), std::string(name))), root_(*app_, chosen_) {
  app_->formatter(std::make_shared<NarrowHelp>());
  app_->set_version_flag("--version", std::string(name) + " " + std::string(version));
}

Program::~Program() = default;

namespace {

bool is_number(const std::string& text) {
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0';
}

// An option takes one word, or as many as follow. "--range MIN MAX" takes one or two, and pictures may follow: two become "MIN,MAX".
std::vector<std::string> with_ranges_joined(const std::vector<std::string>& given) {
  std::vector<std::string> words;
  for (size_t i = 0; i < given.size(); ++i) {
    if (given[i] == "--range" && i + 2 < given.size() && is_number(given[i + 1]) && is_number(given[i + 2])) {
      words.push_back(given[i] + "=" + given[i + 1] + "," + given[i + 2]);
      i += 2;
    } else {
      words.push_back(given[i]);
    }
  }
  return words;
}

// CLI11 would say only that a command is missing. `before`: the commands that lead to this one.
void check_command(const CLI::App& app, std::span<const std::string> words, const std::string& before = "") {
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  if (words.empty() || words[0].starts_with('-') || commands.empty()) return;
  std::vector<std::string> names;
  for (const CLI::App* command : commands) {
    if (command->get_name() == words[0]) return check_command(*command, words.subspan(1), before + words[0] + " ");
    names.push_back(command->get_name());
  }
  const std::string meant = suggestion(words[0], names);
  throw Error(ErrorKind::usage, "there is no command '" + before + words[0] + "'" + meant +
                                    (meant.empty() ? "; there are " : " There are ") + CLI::detail::join(names, ", "));
}

// "fovea help train" is "fovea train --help".
std::vector<std::string> without_help(std::vector<std::string> words) {
  if (words.empty() || words[0] != "help") return words;
  words.erase(words.begin());
  words.push_back("--help");
  return words;
}

// What was chosen last: of "fovea weights fetch" the command fetch.
const CLI::App& innermost(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

// The option that a mistyped one may mean.
std::string meant_by(const CLI::App& app, const std::vector<std::string>& extras) {
  std::vector<std::string> names;
  for (const CLI::Option* option : innermost(app).get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  for (const std::string& extra : extras)
    if (extra.starts_with("--")) return suggestion(extra.substr(0, extra.find('=')), names);
  return "";
}

// As it is typed: "fovea weights fetch".
std::string full_name(const CLI::App& app) {
  const CLI::App* command = &app;
  std::string name = app.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  return name;
}

}  // namespace

void Program::parse(const std::vector<std::string>& typed) {
  const std::vector<std::string> words = with_ranges_joined(without_help(typed));
  check_command(*app_, words);
  try {
    app_->parse(std::vector<std::string>(words.rbegin(), words.rend()));  // which CLI11 takes from the end
  } catch (const CLI::ExtrasError& error) {
    throw Error(ErrorKind::usage,
                std::string(error.what()) + meant_by(*app_, app_->remaining(true)) + " (" + full_name(*app_) + " --help tells more)");
  }
}

void Program::take(const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::usage, std::string("the command that began the run: ") + error.what());
  }
}

int Program::run(const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      std::ostringstream text;
      app_->exit(error, text, text);
      write_output(text.str());
      return 0;
    }
    throw Error(ErrorKind::usage, std::string(error.what()) + " (" + full_name(*app_) + " --help tells more)");
  }
  return chosen_();
}

}  // namespace fovea::cli
