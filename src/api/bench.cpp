#include <fovea/inspect.h>
#include <fovea/threads.h>

#include <algorithm>
#include <optional>
#include <set>

#include "api/device.h"
#include "api/implementation.h"
#include "api/measure.h"
#include "api/profile.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/executable.h"
#include "engine/memory_account.h"
#include "engine/precision.h"
#include "engine/session.h"
#include "train/frozen_prefix.h"
#include "train/step.h"

namespace fovea {
namespace {

// What is measured: inference, or a step and, before it, the frozen part of the network where there is one.
class Job {
 public:
  Job(const engine::Network& network, const BenchOptions& options, const std::set<std::string>& frozen, engine::MemoryAccount& account)
      : batch_(options.batch) {
    if (options.mode == BenchMode::train)
      prefix_ = training::FrozenPrefix::find(network, frozen, batch_, {device(), arena_, options.height, options.width});
    const size_t prefix_held = prefix_ ? prefix_->executable().memory().held + arena_->resident_bytes() : 0;
    compile(network, options, frozen, {.device = &device().traits()});
    account.measure_rest(prefix_held);
    if (step_ && account.limit() > 0 && account.planned(accounted()) > account.limit()) {
      const size_t arena = engine::Arena::rounded_down(account.left_for_arena(beside_arena()));
      compile(network, options, frozen, {.device = &device().traits(), .arena_bytes = step_->memory().values_within(arena)});
    }
    planned_bytes_ = static_cast<int64_t>(account.planned(accounted()));
    account.require_within_limit(account.planned(accounted()), options.batch, network.variant().name);
    if (options.planned) options.planned(planned_bytes_);
    prepare(network);
    run(0, false);  // the first touches the memory
  }

  // Milliseconds of the whole, and of the part after the frozen one alone.
  std::pair<double, double> run(int64_t step, bool profiled) {
    if (inference_) {
      const double own = timed_run(*inference_, profiled ? inference_times().next_run() : std::span<double>());
      return {own, own};
    }
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
      const double own = timed_run(*step_, times);
      return {own, own};
    }
    const auto rest = std::chrono::steady_clock::now();
    auto next = data_.begin();
    for (const auto& cut : prefix_->cuts()) {
      const auto input = step_->input_as<float>(cut.name);
      std::copy_n(next, input.size(), input.begin());
      next += static_cast<std::ptrdiff_t>(input.size());
    }
    timed_run(*step_, times);
    const double own = milliseconds_since(rest);
    return {before + own, own};
  }

  // The profile of those runs for which one was asked for.
  Profile profile() const {
    std::vector<ProfileRow> nodes;
    for (const auto* times : {&inference_times_, &prefix_times_, &step_times_})
      if (*times) (*times)->append_to(nodes);
    return profile_of(std::move(nodes));
  }
  bool has_prefix() const { return prefix_ != nullptr; }
  int64_t planned_bytes() const { return planned_bytes_; }

 private:
  // Bytes of packed weights and of copies of the inputs.
  size_t beside_arena() const {
    size_t sum = memory().constants;
    if (inference_) return sum;
    for (const NamedValue& input : step_->graph().inputs()) sum += step_->graph().type(input.value).bytes();
    if (!prefix_) return sum;
    const auto picture = image_numbers() + 2 * static_cast<size_t>(batch_ * prefix_->width());
    return sum + prefix_->executable().memory().constants + picture * sizeof(float);
  }
  size_t accounted() const { return beside_arena() + engine::Arena::rounded_up(std::max(memory().arena, arena_->bytes())); }
  engine::MemoryUse memory() const { return inference_ ? inference_->memory() : step_->memory(); }

  // Numbers of a batch of pictures, where there is a prefix.
  size_t image_numbers() const { return static_cast<size_t>(prefix_->picture_numbers() * batch_); }

  void compile(const engine::Network& network, const BenchOptions& options, const std::set<std::string>& frozen,
               const passes::RecomputeOptions& recompute) {
    if (options.mode == BenchMode::infer)
      inference_ = engine::compile_inference(network, {options.batch, options.height, options.width}, device(), arena_);
    else
      step_ = engine::Executable::compile(step_graph(network, options, frozen, recompute), device(), network.store(), arena_,
                                          {.reserve = false});
  }

  void prepare(const engine::Network& network) {
    if (inference_) {
      inference_->prepare();
      return fill_bench_image(inference_->image());
    }
    step_->prepare();
    inputs_.emplace(*step_, network.class_count());
    if (!prefix_) return;
    image_.resize(image_numbers());
    fill_bench_image(image_);
    rows_.resize(static_cast<size_t>(batch_ * prefix_->width()));
    data_.resize(rows_.size());
  }

  static NodeTimes& times_of(const engine::BatchExecutable& executable, int64_t runs, std::optional<NodeTimes>& times) {
    return times ? *times : times.emplace(executable.of_group(), runs * executable.grouping().groups);
  }
  NodeTimes& inference_times() { return times_of(*inference_, 1, inference_times_); }
  NodeTimes& prefix_times() { return times_of(prefix_->executable(), (batch_ + prefix_->batch() - 1) / prefix_->batch(), prefix_times_); }
  NodeTimes& step_times() { return step_times_ ? *step_times_ : step_times_.emplace(*step_); }

  static Graph step_graph(const engine::Network& network, const BenchOptions& options, const std::set<std::string>& frozen,
                          const passes::RecomputeOptions& recompute) {
    const ModelGraph model = network.build(options.batch, options.height, options.width);
    training::StepOptions step;
    step.optimizer.kind = training::OptimizerOptions::Kind::sgd;
    step.frozen = frozen;
    step.precision = network.precision();
    return training::build_step(training::without_prefix(training::lower_for_training(model, frozen), frozen), step,
                                {.fuse = true, .recompute = recompute});
  }

  const std::shared_ptr<engine::Arena> arena_ = std::make_shared<engine::Arena>();
  int64_t batch_, planned_bytes_ = 0;
  std::unique_ptr<training::FrozenPrefix> prefix_;
  std::unique_ptr<engine::BatchExecutable> inference_;  // or a step
  std::unique_ptr<engine::Executable> step_;
  std::optional<BenchInputs> inputs_;
  std::optional<NodeTimes> inference_times_, prefix_times_, step_times_;
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
  engine::MemoryAccount account(static_cast<size_t>(std::max<int64_t>(0, options.memory_bytes)));
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
  Job job(*network, options, frozen, account);
  std::optional<Job> full;
  size_t measured = account.measured();
  BenchResult::Full whole;
  if (!frozen.empty()) {
    engine::MemoryAccount account_of_all(0, network->store()->bytes());
    BenchOptions without = options;
    without.planned = {};
    full.emplace(*network, without, std::set<std::string>{}, account_of_all);
    whole.planned_bytes = full->planned_bytes();
    whole.measured_bytes = static_cast<int64_t>(account_of_all.measured());
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
  if (!full) measured = account.measured();

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
  result.measured_bytes = static_cast<int64_t>(measured);
  if (full) {
    whole.least_milliseconds = *std::ranges::min_element(whole_times);
    if (job.has_prefix()) whole.least_milliseconds_kept = *std::ranges::min_element(rest_times);
    result.full = whole;
  }
  return result;
}

}  // namespace fovea
