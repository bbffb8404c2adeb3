// The command line: reads arguments, runs one command, turns errors into one line and an exit status.
#include <fmt/format.h>
#include <fovea/error.h>
#include <fovea/image.h>
#include <fovea/version.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <new>

#include "cli/command.h"
#include "cli/interrupts.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

std::vector<std::string> typed;

constexpr int kFailed = 1, kWrongUsage = 2;

constexpr const char* kProgramFooter = R"(Examples:
  fovea train pictures --out run             fine-tune a network on a folder with one folder a class
  fovea predict run/model.safetensors a.jpg  what is in a picture
  fovea predict resnet50 a.jpg               the same with published ImageNet weights
  fovea COMMAND --help                       everything about a command

Exit status: 0 when all went well, 1 with one line on standard error when something failed, 2 for wrong usage, 130 when interrupted.
Environment: FOVEA_CACHE, FOVEA_OFFLINE (see fovea weights --help), FOVEA_LOG=kernels,memory,weights,passes or all (diagnostics).)";

// Once a run, however many there were.
void tell_wide_greys() {
  const WideGreys seen = wide_greys();
  if (seen.cut_off > 0)
    say(fmt::format("{} of 16 bits or floats: values beyond 255 are white; --range MIN MAX or --range auto stretches them",
                    counted(seen.cut_off, "grey picture is", "grey pictures are")));
  if (seen.stretched > 0)
    say(fmt::format("{} of 16 bits or floats, stretched by --range", counted(seen.stretched, "grey picture was", "grey pictures were")));
}

int run_command(int argc, char** argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const std::vector<std::string> resumed = command_to_resume(words);
  typed = {argc > 0 ? argv[0] : "fovea"};
  std::ranges::copy_if(resumed.empty() ? words : resumed, std::back_inserter(typed),
                       [](const std::string& word) { return word != "--resume"; });
  Program program("fovea", "Pre-trained vision encoders: fine-tune them, classify pictures, take features.",
                  fmt::format("{}\nreads {}", fovea::version(), fmt::join(picture_formats(), ", ")));
  program.root().footer(kProgramFooter);
  for (const auto add : {add_train, add_audit, add_augment, add_evaluate, add_report, add_predict, add_embed, add_explain, add_neighbors,
                         add_export, add_summary, add_compare, add_models, add_weights, add_bench})
    add(program.root());
#ifdef FOVEA_SERVE
  add_serve(program.root());
#endif
  if (!resumed.empty()) program.take(resumed);
  const int status = program.run(words);
  tell_wide_greys();
  return status;
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
  open_standard_streams();
  handle_interrupts();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may grow no more is an error of the write
  int status = kFailed;
  try {
    status = run_command(argc, argv);
  } catch (const fovea::Error& error) {
    status = report_error(error.what(), error.kind() == fovea::ErrorKind::usage ? kWrongUsage : kFailed);
  } catch (const Interrupted&) {
    status = report_error("interrupted", interrupted_status());
  } catch (const std::bad_alloc&) {
    status = report_error("there is not enough memory", kFailed);
  } catch (const std::exception& error) {
    status = report_error(error.what(), kFailed);
  }
  return finish_output(status);
}
