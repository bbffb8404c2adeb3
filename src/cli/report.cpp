// fovea report: the page of a finished run, again.
#include <fovea/report.h>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kReportFooter =
    R"(RUN is the folder of a finished `fovea train`. The page is made again from its metrics.json and model.safetensors, as training made it at its
end: one file that opens offline, with curves, accuracy per class, confusion, calibration, the worst mistakes and every setting. Pictures are
read from where they were; those that have moved are named only.

Examples:
  fovea report run
  fovea train pictures --no-report --out run && fovea report run)";

struct ReportArguments {
  ModelOptions model;
  std::string run;
  bool json = false;
};

int report(const ReportArguments& options) {
  use_threads(options.model);
  const std::string path = write_report(options.run);
  if (!options.json) result_is_in_files();
  if (options.json)
    print_json({{"report", path}});
  else
    print("{}\n", path);
  return 0;
}

}  // namespace

void add_report(Command& program) {
  Command command = program.command("report", "Write the page of a finished run again");
  const auto options = std::make_shared<ReportArguments>();
  command.positional("RUN", options->run, "The run's folder");
  add_compute(command, options->model);
  add_json(command, options->json, R"({"report": PATH})");
  command.footer(kReportFooter);
  command.runs([options] { return report(*options); });
}

}  // namespace fovea::cli
