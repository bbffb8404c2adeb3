// The command line: reads arguments, runs one command, turns errors into one line and an exit status.
#include <fovea/error.h>
#include <fovea/version.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iterator>
#include <new>

#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/waiting.h"

namespace fovea::cli {
namespace {

std::vector<std::string> typed;

constexpr int kFailed = 1, kWrongUsage = 2;

constexpr const char* kFooter = R"(Examples:
  fovea train pictures --out run             fine-tune a network on a folder with one folder a class
  fovea predict run/model.safetensors a.jpg  what is in a picture
  fovea predict resnet50 a.jpg               the same with published ImageNet weights
  fovea COMMAND --help                       everything about a command

Exit status: 0 when all went well, 1 with one line on standard error when something failed, 2 for wrong usage.
Environment: FOVEA_CACHE, FOVEA_OFFLINE (see fovea weights --help), FOVEA_LOG=kernels,memory,weights,passes or all (diagnostics).)";

// What CLI11 found wrong, in one line.
int wrong_usage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  std::string name = command->get_name();
  for (const CLI::App* parent = command->get_parent(); parent; parent = parent->get_parent()) name = parent->get_name() + " " + name;
  return report_error(std::string(error.what()) + " (" + name + " --help tells more)", kWrongUsage);
}

// CLI11 would say only that a command is missing.
void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::string names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == argv[1]) return;
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  throw Error(ErrorKind::usage, fmt::format("there is no command '{}'; there are {}", argv[1], names));
}

int run_command(int argc, char** argv) {
  std::copy_if(argv, argv + argc, std::back_inserter(typed), [](const std::string& word) { return word != "--resume"; });
  CLI::App app("Pre-trained vision encoders: fine-tune them, classify pictures, take features.", "fovea");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("fovea ") + fovea::version());
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  app.failure_message([](const CLI::App*, const CLI::Error&) { return std::string(); });
  Run run;
  for (const auto add : {add_train, add_audit, add_augment, add_evaluate, add_report, add_predict, add_embed, add_explain, add_neighbors,
                         add_export, add_summary, add_compare, add_models, add_weights, add_bench})
    add(app, run);
  check_command(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return wrong_usage(app, error);
  }
  return run();
}

// A full disk under standard output shows only here. A reader that has gone away has seen what it wanted.
int finish_output(int status) {
  const int error = output_error();
  if (error == 0 || error == EPIPE || status != 0) return status;
  return report_error(std::string("standard output: ") + std::strerror(error), kFailed);
}

}  // namespace

const std::vector<std::string>& command_line() { return typed; }

}  // namespace fovea::cli

int main(int argc, char** argv) {
  using namespace fovea::cli;
  shorten_waiting(argv);
  std::signal(SIGPIPE, SIG_IGN);
  int status = kFailed;
  try {
    status = run_command(argc, argv);
  } catch (const fovea::Error& error) {
    status = report_error(error.what(), error.kind() == fovea::ErrorKind::usage ? kWrongUsage : kFailed);
  } catch (const std::bad_alloc&) {
    status = report_error("there is not enough memory", kFailed);
  } catch (const std::exception& error) {
    status = report_error(error.what(), kFailed);
  }
  return finish_output(status);
}
