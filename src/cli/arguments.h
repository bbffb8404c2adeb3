// How a program describes its commands and their arguments. CLI11, which reads them, is included by arguments.cpp alone: it takes longer to
// compile than any command.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace fovea::cli {

// What runs when a command is chosen; gives the exit status.
using Run = std::function<int()>;

// What is asked of an argument, and what the help says of it.
class Argument {
 public:
  explicit Argument(CLI::Option& option) : option_(option) {}

  Argument& type(std::string_view name);  // what the help calls a value
  Argument& required();
  Argument& shows_default();                                // the help tells the value that the variable has now,
  Argument& shows_default(std::string_view text);           // or this
  Argument& positive();                                     // a whole number of 1 or more
  Argument& not_negative();                                 // any number of 0 or more
  Argument& between(int least, int most);                   // both included
  Argument& seed();                                         // a text that holds a whole number of 64 bits
  Argument& in_range();                                     // as option_range (fovea/train.h) has it for the option's name
  Argument& one_of(const std::vector<std::string>& names);  // which are the type, too
  Argument& bytes();                                        // "500M", "2Gi"
  Argument& each();                                         // given once for each value of a list
  Argument& needs(std::string_view option);

 private:
  CLI::Option& option_;
};

class Command {
 public:
  Command(CLI::App& app, Run& chosen) : app_(app), chosen_(chosen) {}

  // Into `value` go what stands behind "--name" (or "-n,--name"), and what stands at its place and must be there. Value is std::string,
  // std::vector<std::string>, int, int64_t or double.
  template <class Value>
  Argument option(std::string_view names, Value& value, std::string_view help);
  template <class Value>
  Argument positional(std::string_view name, Value& value, std::string_view help);
  void flag(std::string_view name, bool& value, std::string_view help);
  void group(std::string_view title);  // under which the help has what is added from here on

  void footer(std::string_view text);  // before commands are added, which have it where they have none of their own
  Command command(std::string_view name, std::string_view help);  // one of them must then be chosen
  void runs(Run run);

 private:
  CLI::App& app_;
  Run& chosen_;
};

class Program {
 public:
  Program(std::string_view name, std::string_view help, std::string_view version);
  ~Program();

  Command& root() { return root_; }
  // Runs the command that was typed; gives its exit status. Throws Error(usage) for what is none.
  int run(const std::vector<std::string>& words);
  // Takes options from another command's words; those that `run` gets afterwards come over them.
  void take(const std::vector<std::string>& words);

 private:
  void parse(const std::vector<std::string>& words);

  std::unique_ptr<CLI::App> app_;
  Run chosen_;
  Command root_;
};

}  // namespace fovea::cli
