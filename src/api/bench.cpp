#include <fovea/inspect.h>
#include <fovea/threads.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <set>

#include "api/implementation.h"
#include "api/measure.h"
#include "api/profile.h"
#include "backends/cpu/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/executable.h"
#include "engine/precision.h"
#include "train/frozen_prefix.h"
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

// What is measured: a graph and, before it, the frozen part of the network where there is one.
class Job {
 public:
  // `before`: what the process had before anything of this was there.
  Job(const engine::Network& network, const BenchOptions& options, const std::set<std::string>& frozen, int64_t before)
      : batch_(options.batch) {
    build(network, options, frozen, {});
    // Once: what a build that was given up leaves behind in the process is no part of the step.
    const int64_t fixed = process_memory("VmRSS") - before;
    planned_bytes_ = fixed + arena_bytes();
    if (const int64_t over = planned_bytes_ - options.memory_bytes; options.memory_bytes > 0 && over > 0) {
      const auto values = static_cast<int64_t>(executable_->memory().values);
      build(network, options, frozen, {.arena_bytes = static_cast<size_t>(std::max<int64_t>(0, values - over))});
      planned_bytes_ = fixed + arena_bytes();
    }
    if (options.memory_bytes > 0 && planned_bytes_ > options.memory_bytes)
      fail(ErrorKind::usage, "{} MB of memory are allowed, a batch of {} of {} takes {} MB at least", options.memory_bytes / 1'000'000,
           options.batch, network.variant().name, (planned_bytes_ + 999'999) / 1'000'000);
    if (options.planned) options.planned(planned_bytes_);
    run(0, false);  // the first touches the memory
  }

  // Milliseconds of the whole, and of the part after the frozen one alone.
  std::pair<double, double> run(int64_t step, bool profiled) {
    const auto begin = std::chrono::steady_clock::now();
    if (prefix_) {
      prefix_->run(image_, batch_, rows_, profiled ? prefix_times().next_run() : std::span<double>());
      for (int64_t i = 0; i < batch_; ++i)
        prefix_->arrange(std::span(rows_).subspan(static_cast<size_t>(i * prefix_->width()), static_cast<size_t>(prefix_->width())), i,
                         batch_, data_);
    }
    const double before = prefix_ ? milliseconds_since(begin) : 0;
    inputs_->write(step);
    const auto times = profiled ? step_times().next_run() : std::span<double>();
    if (!prefix_) {
      const double own = timed_run(*executable_, times);
      return {own, own};
    }
    const auto rest = std::chrono::steady_clock::now();
    auto next = data_.begin();
    for (const auto& cut : prefix_->cuts()) {
      const auto input = executable_->input_as<float>(cut.name);
      std::copy_n(next, input.size(), input.begin());
      next += static_cast<std::ptrdiff_t>(input.size());
    }
    timed_run(*executable_, times);
    const double own = milliseconds_since(rest);
    return {before + own, own};
  }

  // Of the runs that were profiled.
  Profile profile() const {
    std::vector<ProfileRow> nodes;
    if (prefix_times_) prefix_times_->append_to(nodes);
    if (step_times_) step_times_->append_to(nodes);
    return profile_of(std::move(nodes));
  }
  bool has_prefix() const { return prefix_ != nullptr; }
  int64_t planned_bytes() const { return planned_bytes_; }

 private:
  // The rest lies in memory when all is built.
  int64_t arena_bytes() const { return static_cast<int64_t>(arena_->bytes()); }

  void build(const engine::Network& network, const BenchOptions& options, const std::set<std::string>& frozen,
             const passes::RecomputeOptions& recompute) {
    inputs_.reset();
    executable_.reset();
    prefix_.reset();
    arena_ = std::make_shared<engine::Arena>();
    if (options.mode == BenchMode::train)
      prefix_ = training::FrozenPrefix::find(network, frozen, batch_, {cpu::cpu_backend(), arena_, options.height, options.width});
    executable_ = engine::Executable::compile(graph_for(network, options, frozen, recompute), cpu::cpu_backend(), network.store(), arena_);
    executable_->prepare();
    inputs_.emplace(*executable_, network.class_count());
    if (prefix_) {
      const auto one = prefix_->executable().graph().find_input("image");
      image_ = bench_image(static_cast<size_t>(prefix_->executable().graph().type(*one).elements() / prefix_->batch() * batch_));
      rows_.resize(static_cast<size_t>(batch_ * prefix_->width()));
      data_.resize(rows_.size());
    }
  }

  NodeTimes& prefix_times() { return prefix_times_ ? *prefix_times_ : prefix_times_.emplace(prefix_->executable()); }
  NodeTimes& step_times() { return step_times_ ? *step_times_ : step_times_.emplace(*executable_); }

  static Graph graph_for(const engine::Network& network, const BenchOptions& options, const std::set<std::string>& frozen,
                         const passes::RecomputeOptions& recompute) {
    const ModelGraph model = network.build(options.batch, options.height, options.width);
    if (options.mode == BenchMode::infer) return engine::inference_graph(model, {last_output(model)}, network.precision());
    training::StepOptions step;
    step.optimizer.kind = training::OptimizerOptions::Kind::sgd;
    step.frozen = frozen;
    step.precision = network.precision();
    return training::build_step(training::without_prefix(training::lower_for_training(model, frozen), frozen), step,
                                {.fuse = true, .recompute = recompute});
  }

  std::shared_ptr<engine::Arena> arena_;
  int64_t batch_, planned_bytes_ = 0;
  std::unique_ptr<training::FrozenPrefix> prefix_;
  std::unique_ptr<engine::Executable> executable_;
  std::optional<BenchInputs> inputs_;
  std::optional<NodeTimes> prefix_times_, step_times_;
  std::vector<float> image_, rows_, data_;
};

void check(const BenchOptions& options) {
  engine::parse_precision(options.dtype);
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
    network->set_precision(engine::parse_precision(options.dtype));
  } else {
    LoadOptions loading;
    loading.weights = options.weights;
    loading.dtype = options.dtype;
    network = Model::load(name_or_file, loading).implementation().shared_network();
  }
  const std::set<std::string> frozen = options.mode == BenchMode::train ? network->frozen_by(options.freeze) : std::set<std::string>{};
  Job job(*network, options, frozen, before);
  std::optional<Job> full;
  const auto states = static_cast<int64_t>(network->store()->bytes());
  int64_t peak = process_memory("VmHWM");
  BenchResult::Full whole;
  if (!frozen.empty()) {
    reset_peak_memory();
    const int64_t now = process_memory("VmRSS");
    BenchOptions without = options;
    without.memory_bytes = 0;
    without.planned = {};
    full.emplace(*network, without, std::set<std::string>{}, now);
    whole.planned_bytes = full->planned_bytes() + states;
    whole.measured_bytes = std::max<int64_t>(0, process_memory("VmHWM") - now) + states;
  }
  constexpr size_t kLeastRuns = 3;
  std::vector<double> times, whole_times, rest_times;
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t step = 1; times.size() < kLeastRuns || milliseconds_since(begin) < 1000 * options.seconds; ++step) {
    const auto [all, rest] = job.run(step, options.profile);
    times.push_back(all);
    rest_times.push_back(rest);
    if (full) whole_times.push_back(full->run(step, false).first);
  }
  if (!full) peak = process_memory("VmHWM");

  BenchResult result;
  result.runs = static_cast<int64_t>(times.size());
  result.threads = threads();
  result.height = options.height > 0 ? options.height : network->preprocessing().height;
  result.width = options.width > 0 ? options.width : network->preprocessing().width;
  if (options.profile) result.profile = job.profile();
  std::sort(times.begin(), times.end());
  result.least_milliseconds = times.front();
  result.median_milliseconds = median(times);
  result.pictures_per_second = 1000 * static_cast<double>(options.batch) / result.median_milliseconds;
  result.planned_bytes = job.planned_bytes();
  result.measured_bytes = std::max<int64_t>(0, peak - before);
  if (full) {
    whole.least_milliseconds = *std::ranges::min_element(whole_times);
    if (job.has_prefix()) whole.least_milliseconds_kept = *std::ranges::min_element(rest_times);
    result.full = whole;
  }
  return result;
}

}  // namespace fovea
