#include <fovea/inspect.h>
#include <fovea/threads.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "api/implementation.h"
#include "api/measure.h"
#include "backends/cpu/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/executable.h"
#include "train/step.h"

namespace fovea {
namespace {

// A line of /proc/self/status in bytes: "VmRSS", memory that the process has now, or "VmHWM", the most it ever had.
int64_t process_memory(std::string_view what) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(what)) return 1024 * std::atoll(line.c_str() + what.size() + 1);
  }
  return 0;
}

// VmHWM counts from here on, where the system allows it.
void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

Graph graph_for(const engine::Network& network, const BenchOptions& options) {
  const ModelGraph model = network.build(options.batch, options.height, options.width);
  if (options.mode == BenchMode::infer) return engine::inference_graph(model, {last_output(model)});
  training::StepOptions step;
  step.optimizer.kind = training::OptimizerOptions::Kind::sgd;
  step.frozen = network.frozen_by(options.freeze);
  return training::build_step(training::lower_for_training(model, step.frozen), step);
}

std::vector<double> measure(engine::Executable& executable, BenchInputs& inputs, double seconds, std::span<double> by_node) {
  constexpr size_t kLeastRuns = 3;
  std::vector<double> times;
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t step = 1; times.size() < kLeastRuns || milliseconds_since(begin) < 1000 * seconds; ++step) {
    inputs.write(step);
    times.push_back(timed_run(executable, by_node));
  }
  return times;
}

std::vector<ProfileRow> profile_rows(const engine::Executable& executable, std::span<const double> by_node, size_t runs) {
  std::map<std::pair<std::string, std::string>, ProfileRow> rows;
  for (uint32_t n = 0; n < executable.graph().node_count(); ++n) {
    if (by_node[n] == 0) continue;  // ran once, when the weights were prepared
    const std::string operation(executable.graph().node(NodeId{n}).op.name()), kernel = executable.kernel(NodeId{n});
    ProfileRow& row = rows[{operation, kernel}];
    row.operation = operation;
    row.kernel = kernel;
    ++row.nodes;
    row.milliseconds += 1000 * by_node[n] / static_cast<double>(runs);
  }
  std::vector<ProfileRow> result;
  for (auto& [key, row] : rows) result.push_back(std::move(row));
  std::sort(result.begin(), result.end(), [](const ProfileRow& a, const ProfileRow& b) { return a.milliseconds > b.milliseconds; });
  return result;
}

void check(const BenchOptions& options) {
  if (options.dtype != "f32") fail(ErrorKind::unsupported, "dtype {}: only f32 is supported", options.dtype);
  if (options.batch < 1) fail(ErrorKind::usage, "a batch of {}, at least 1 expected", options.batch);
  if (!(options.seconds >= 0)) fail(ErrorKind::usage, "{} seconds to measure for, at least 0 expected", options.seconds);
}

}  // namespace

BenchResult bench(const std::string& name_or_file, const BenchOptions& options) {
  check(options);
  reset_peak_memory();
  const int64_t before = process_memory("VmRSS");
  std::shared_ptr<engine::Network> network;
  if (options.weights == "none") {
    network = plain_network(name_or_file, 0);
  } else {
    LoadOptions loading;
    loading.weights = options.weights;
    network = Model::load(name_or_file, loading).implementation().shared_network();
  }
  const auto executable =
      engine::Executable::compile(graph_for(*network, options), cpu::cpu_backend(), network->store(), std::make_shared<engine::Arena>());
  executable->prepare();
  BenchInputs inputs(*executable, network->class_count());
  inputs.write(0);
  executable->run();  // the first touches the memory

  std::vector<double> by_node(options.profile ? executable->graph().node_count() : 0);
  std::vector<double> times = measure(*executable, inputs, options.seconds, by_node);
  const int64_t peak = process_memory("VmHWM");

  BenchResult result;
  result.runs = static_cast<int64_t>(times.size());
  result.threads = threads();
  result.height = options.height > 0 ? options.height : network->preprocessing().height;
  result.width = options.width > 0 ? options.width : network->preprocessing().width;
  if (options.profile) result.profile = profile_rows(*executable, by_node, times.size());
  std::sort(times.begin(), times.end());
  result.least_milliseconds = times.front();
  result.median_milliseconds = median(times);
  result.pictures_per_second = 1000 * static_cast<double>(options.batch) / result.median_milliseconds;
  result.planned_bytes = static_cast<int64_t>(executable->memory().total());
  result.measured_bytes = std::max<int64_t>(0, peak - before);
  return result;
}

}  // namespace fovea
