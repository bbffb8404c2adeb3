// fovea bench: time and memory of inference and training steps.
#include <fovea/inspect.h>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kBenchFooter =
    R"(A training step is forward, loss, backward and an update by SGD with momentum. Weights are random ones where --weights is not given: they
take the same time. Planned memory is what the process has grown by before the first step and what the plan of values adds; measured memory
is by how much it grew. With --memory a training step computes values again rather than keep them, as many as are needed; no result changes. The profile gives each node the median of all runs, and counts 2 operations a multiply-add and each byte of its operands once.

Examples:
  fovea bench resnet50 --mode train --batch 16
  fovea bench resnet50 --mode train --batch 64 --memory 3G
  fovea bench resnet50 --mode train --batch 16 --freeze layer3   the share of a full step
  fovea bench tf_efficientnet_lite0 --size 224 --seconds 5 --profile)";

struct BenchArguments {
  ModelOptions model;
  std::string size, memory, mode = "infer", freeze = "none";
  int64_t batch = 0;
  double seconds = 3;
  bool profile = false, json = false;
};

Json to_json(const std::vector<ProfileRow>& rows) {
  Json json = Json::array();
  for (const ProfileRow& row : rows) {
    Json entry{{"operation", row.operation},
               {"nodes", row.nodes},
               {"milliseconds", row.milliseconds},
               {"share", row.share},
               {"multiply_adds", row.multiply_adds},
               {"bytes", row.bytes},
               {"gflops", row.gflops()},
               {"gigabytes_per_second", row.gigabytes_per_second()}};
    if (!row.name.empty()) entry.set("name", row.name);
    if (!row.shape.empty()) entry.set("shape", row.shape);
    if (!row.kernel.empty()) entry.set("kernel", row.kernel);
    json.push_back(entry);
  }
  return json;
}

Json to_json(const BenchArguments& options, const BenchOptions& used, const BenchResult& result) {
  Json json{{"model", options.model.model},
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
    json.set("freeze", options.freeze);
    json.set("full", {{"least_milliseconds", result.full->least_milliseconds},
                      {"peak_bytes", {{"planned", result.full->planned_bytes}, {"measured", result.full->measured_bytes}}},
                      {"share", result.least_milliseconds / result.full->least_milliseconds},
                      {"share_kept", result.full->least_milliseconds_kept / result.full->least_milliseconds}});
  }
  if (options.profile)
    json.set("profile", {{"nodes", to_json(result.profile.nodes)},
                         {"operations", to_json(result.profile.operations)},
                         {"kernels", to_json(result.profile.kernels)}});
  return json;
}

// One row for each; a node has its name and its result's shape, a sum the number of its nodes.
void print_profile(const std::vector<ProfileRow>& rows, bool of_nodes, bool of_kernels) {
  Table table(std::string(of_nodes ? "<<<" : "<") + (of_kernels ? "<" : "") + (of_nodes ? "" : ">") + ">>>>");
  std::vector<std::string> titles;
  if (of_nodes) titles = {"node", "result"};
  titles.push_back("operation");
  if (of_kernels) titles.push_back("kernel");
  if (!of_nodes) titles.push_back("nodes");
  titles.insert(titles.end(), {"ms", "share", "GFLOP/s", "GB/s"});
  table.add(std::move(titles));
  for (const ProfileRow& row : rows) {
    std::vector<std::string> cells;
    if (of_nodes) cells = {row.name, as_shape(row.shape)};
    cells.push_back(row.operation);
    if (of_kernels) cells.push_back(row.kernel);
    if (!of_nodes) cells.push_back(std::to_string(row.nodes));
    const std::string rate = row.multiply_adds > 0 ? fmt::format("{:.1f}", row.gflops()) : "";
    cells.insert(cells.end(), {fmt::format("{:.3f}", row.milliseconds), fmt::format("{:.2f} %", 100 * row.share), rate,
                               fmt::format("{:.1f}", row.gigabytes_per_second())});
    table.add(std::move(cells));
  }
  print("\n{}", table.text());
}

void print_text(const BenchArguments& options, const BenchOptions& used, const BenchResult& result) {
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
  if (!options.profile) return;
  print_profile(result.profile.nodes, true, true);
  print_profile(result.profile.kernels, false, true);
  print_profile(result.profile.operations, false, false);
}

int run_bench(const BenchArguments& options) {
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
  if (!options.memory.empty()) used.memory_bytes = parse_bytes(options.memory);
  if (used.memory_bytes > 0 && !options.json)
    used.planned = [&](int64_t planned) {
      print("memory: {} planned, {} allowed\n", as_megabytes(planned), as_megabytes(used.memory_bytes));
    };
  const BenchResult result = bench(options.model.model, used);
  if (options.json)
    print_json(to_json(options, used, result));
  else
    print_text(options, used, result);
  return 0;
}

}  // namespace

void add_bench(Command& program) {
  Command command = program.command("bench", "Time and memory of inference or of training steps");
  const auto options = std::make_shared<BenchArguments>();
  options->model.weights = "none";
  add_model(command, options->model);
  command.option("--mode", options->mode, "What to measure").one_of({"infer", "train"}).type("infer|train:{infer,train}").shows_default();
  command.option("--batch", options->batch, "Pictures a run (default: 1, in training 16)").type("N").positive();
  add_size(command, options->size, "Height and width of the pictures (default: the model's own)");
  command.option("--seconds", options->seconds, "How long to measure, at least three runs").type("S").not_negative().shows_default();
  command.option("--freeze", options->freeze, "Training with a part frozen, in turns with the whole: as --freeze of train")
      .type("none|all|TAP|PATTERN")
      .shows_default();
  command.option("--memory", options->memory, "What the process may grow by, for which a training step computes values again: 500M, 1.5G")
      .type("SIZE");
  command.flag("--profile", options->profile, "Show the time of each node, and of all of one kernel and operation");
  add_json(command, options->json,
           R"({"milliseconds": {"least", "median"}, "pictures_per_second", "peak_bytes": {"planned", "measured"}, ...})");
  command.footer(kBenchFooter);
  command.runs([options] { return run_bench(*options); });
}

}  // namespace fovea::cli
