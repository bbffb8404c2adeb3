// fovea bench: time and memory of inference and training steps.
#include <fovea/inspect.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kFooter =
    R"(A training step is forward, loss, backward and an update by SGD with momentum. Weights are random ones where --weights is not given: they
take the same time. Planned memory is weights, their packed copies, values and workspace; measured memory is by how much the process
grew.

Examples:
  fovea bench resnet50 --mode train --batch 16
  fovea bench resnet50 --mode train --batch 16 --freeze layer3   the share of a full step
  fovea bench tf_efficientnet_lite0 --size 224 --seconds 5 --profile)";

struct Options {
  ModelOptions model;
  std::string size, mode = "infer", freeze = "none";
  int64_t batch = 0;
  double seconds = 3;
  bool profile = false, json = false;
};

nlohmann::json to_json(const Options& options, const BenchOptions& used, const BenchResult& result) {
  nlohmann::json json{{"model", options.model.model},
                      {"mode", options.mode},
                      {"batch", used.batch},
                      {"height", result.height},
                      {"width", result.width},
                      {"dtype", used.dtype},
                      {"threads", result.threads},
                      {"runs", result.runs},
                      {"milliseconds", {{"least", result.least_milliseconds}, {"median", result.median_milliseconds}}},
                      {"pictures_per_second", result.pictures_per_second},
                      {"peak_bytes", {{"planned", result.planned_bytes}, {"measured", result.measured_bytes}}}};
  if (result.full) {
    json["freeze"] = options.freeze;
    json["full"] = {{"least_milliseconds", result.full->least_milliseconds},
                    {"peak_bytes", {{"planned", result.full->planned_bytes}, {"measured", result.full->measured_bytes}}},
                    {"share", result.least_milliseconds / result.full->least_milliseconds},
                    {"share_kept", result.full->least_milliseconds_kept / result.full->least_milliseconds}};
  }
  for (const ProfileRow& row : result.profile) {
    json["profile"].push_back(
        {{"operation", row.operation}, {"kernel", row.kernel}, {"nodes", row.nodes}, {"milliseconds", row.milliseconds}});
  }
  return json;
}

void print_text(const Options& options, const BenchOptions& used, const BenchResult& result) {
  print("{} {}, batch {}, {}x{}, {}, {}\n", options.model.model, options.mode, used.batch, result.height, result.width, used.dtype,
        counted(result.threads, "thread", "threads"));
  print("{:.2f} ms least, {:.2f} ms median of {}; {:.1f} pictures a second\n", result.least_milliseconds, result.median_milliseconds,
        counted(result.runs, "run", "runs"), result.pictures_per_second);
  print("memory: {} planned, {} measured\n", as_megabytes(result.planned_bytes), as_megabytes(result.measured_bytes));
  if (result.full) {
    const auto share = [](double a, double b) { return fmt::format("{:.1f} %", 100 * a / b); };
    const BenchResult::Full& full = *result.full;
    print("nothing frozen, in turns: {:.2f} ms least; memory: {} planned, {} measured\n", full.least_milliseconds,
          as_megabytes(full.planned_bytes), as_megabytes(full.measured_bytes));
    print("freeze {}: {} of the time, {} of the planned memory, {} of the measured\n", options.freeze,
          share(result.least_milliseconds, full.least_milliseconds),
          share(static_cast<double>(result.planned_bytes), static_cast<double>(full.planned_bytes)),
          share(static_cast<double>(result.measured_bytes), static_cast<double>(full.measured_bytes)));
    if (full.least_milliseconds_kept > 0)
      print("with the outputs of the frozen part kept: {:.2f} ms least, {} of the time\n", full.least_milliseconds_kept,
            share(full.least_milliseconds_kept, full.least_milliseconds));
  }
  if (result.profile.empty()) return;
  Table table("<<>>");
  table.add({"operation", "kernel", "nodes", "ms"});
  for (const ProfileRow& row : result.profile)
    table.add({row.operation, row.kernel, std::to_string(row.nodes), fmt::format("{:.3f}", row.milliseconds)});
  print("\n{}", table.text());
}

int run_bench(const Options& options) {
  use_threads(options.model);
  constexpr int64_t kTrainingBatch = 16;
  BenchOptions used;
  used.mode = options.mode == "train" ? BenchMode::train : BenchMode::infer;
  used.batch = options.batch > 0 ? options.batch : used.mode == BenchMode::train ? kTrainingBatch : 1;
  const PictureSize size = parse_size(options.size);
  used.height = size.height;
  used.width = size.width;
  used.seconds = options.seconds;
  used.weights = options.model.weights;
  used.dtype = options.model.dtype;
  used.freeze = options.freeze;
  used.profile = options.profile;
  const BenchResult result = bench(options.model.model, used);
  if (options.json)
    print_json(to_json(options, used, result));
  else
    print_text(options, used, result);
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Run& run) {
  CLI::App* command = app.add_subcommand("bench", "Time and memory of inference or of training steps");
  const auto options = std::make_shared<Options>();
  options->model.weights = "none";
  add_model(*command, options->model);
  command->add_option("--mode", options->mode, "What to measure")
      ->type_name("infer|train")
      ->check(CLI::IsMember({"infer", "train"}))
      ->capture_default_str();
  command->add_option("--batch", options->batch, "Pictures a run (default: 1, in training 16)")->type_name("N")->check(CLI::PositiveNumber);
  add_size(*command, options->size, "Height and width of the pictures (default: the model's own)");
  command->add_option("--seconds", options->seconds, "How long to measure, at least three runs")
      ->type_name("S")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--freeze", options->freeze, "Training with a part frozen, in turns with the whole: as --freeze of train")
      ->type_name("none|all|TAP|PATTERN")
      ->capture_default_str();
  command->add_flag("--profile", options->profile, "Show the time by operation and kernel");
  add_json(*command, options->json,
           R"({"milliseconds": {"least", "median"}, "pictures_per_second", "peak_bytes": {"planned", "measured"}, ...})");
  command->footer(kFooter);
  command->callback([options, &run] { run = [options] { return run_bench(*options); }; });
}

}  // namespace fovea::cli
