#include "cli/arguments.h"

#include <fovea/error.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

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

Argument& Argument::positive() {
  option_.check(CLI::PositiveNumber);
  return *this;
}

Argument& Argument::not_negative() {
  option_.check(CLI::NonNegativeNumber);
  return *this;
}

Argument& Argument::between(int least, int most) {
  option_.check(CLI::Range(least, most));
  return *this;
}

Argument& Argument::between(double least, double most) {
  option_.check(CLI::Range(least, most));
  return *this;
}

Argument& Argument::one_of(const std::vector<std::string>& names) {
  option_.check(CLI::IsMember(names).description(""));
  return type(CLI::detail::join(names, "|"));
}

Argument& Argument::bytes() {
  option_.transform(CLI::AsSizeValue(true).description(""));
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
template Argument Command::option(std::string_view, uint64_t&, std::string_view);
template Argument Command::option(std::string_view, double&, std::string_view);
template Argument Command::positional(std::string_view, std::string&, std::string_view);
template Argument Command::positional(std::string_view, std::vector<std::string>&, std::string_view);

void Command::flag(std::string_view name, bool& value, std::string_view help) {
  app_.add_flag(std::string(name), value, std::string(help));
}

void Command::footer(std::string_view text) { app_.footer(std::string(text)); }

Command Command::command(std::string_view name, std::string_view help) {
  app_.require_subcommand(1);
  return {*app_.add_subcommand(std::string(name), std::string(help)), chosen_};
}

void Command::runs(Run run) {
  app_.callback([this_run = std::move(run), &chosen = chosen_] { chosen = this_run; });
}

Program::Program(std::string_view name, std::string_view help, std::string_view version)
    : app_(std::make_unique<CLI::App>(std::string(help), std::string(name))), root_(*app_, chosen_) {
  app_->set_version_flag("--version", std::string(name) + " " + std::string(version));
  app_->get_formatter()->column_width(34);
}

Program::~Program() = default;

namespace {

bool is_number(const std::string& text) {
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0';
}

// An option takes one word, or as many as follow. "--range MIN MAX" takes one or two, and pictures may follow: two become "MIN,MAX".
std::vector<std::string> with_ranges_joined(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--range" && i + 2 < argc && is_number(argv[i + 1]) && is_number(argv[i + 2])) {
      words.push_back(word + "=" + argv[i + 1] + "," + argv[i + 2]);
      i += 2;
    } else {
      words.push_back(word);
    }
  }
  return words;
}

// CLI11 would say only that a command is missing.
void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == argv[1]) return;
    names.push_back(command->get_name());
  }
  throw Error(ErrorKind::usage, "there is no command '" + std::string(argv[1]) + "'; there are " + CLI::detail::join(names, ", "));
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

int Program::run(int argc, char** argv) {
  check_command(*app_, argc, argv);
  std::vector<std::string> words = with_ranges_joined(argc, argv);
  std::ranges::reverse(words);  // as CLI11 wants them
  try {
    app_->parse(words);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app_->exit(error);  // --help, --version
    throw Error(ErrorKind::usage, std::string(error.what()) + " (" + full_name(*app_) + " --help tells more)");
  }
  return chosen_();
}

}  // namespace fovea::cli
