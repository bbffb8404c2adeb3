#include <fovea/inspect.h>

#include <algorithm>
#include <memory>

#include "api/device.h"
#include "api/implementation.h"
#include "api/measure.h"
#include "api/model_source.h"
#include "api/summary.h"
#include "base/error.h"
#include "engine/session.h"

namespace fovea {
namespace {

// A network that is measured, with memory of its own.
struct Runner {
  std::unique_ptr<engine::BatchExecutable> executable;
  std::vector<double> times;
};

Comparison describe(const std::string& name, const engine::Network& network, const CompareOptions& options) {
  SummaryOptions sizes;
  sizes.height = options.height;
  sizes.width = options.width;
  sizes.batch = options.batch;
  const Summary summary = summarize(network, sizes);
  Comparison result;
  result.name = name;
  result.model = summary.model;
  result.height = summary.height;
  result.width = summary.width;
  result.parameters = summary.parameters;
  result.weights_bytes = summary.memory.weights;
  result.multiply_adds = summary.multiply_adds;
  result.inference_bytes = summary.inference_bytes;
  result.training_bytes = summary.training_bytes;
  result.memory = summary.memory;
  result.feature_width = network.variant().feature_width;
  for (const StageSummary& stage : summary.stages) {
    if (!stage.is_tap) continue;
    result.stride = stage.stride;
    result.field = stage.field;
  }
  // What was published says nothing of a model file.
  if (const weights::PublishedWeights* published = find_published_weights(name, "")) {
    result.weights = published->tag;
    if (published->accuracy1) result.accuracy1 = *published->accuracy1;
    if (published->accuracy5) result.accuracy5 = *published->accuracy5;
  }
  return result;
}

Runner runner_for(const engine::Network& network, const CompareOptions& options) {
  Runner runner;
  runner.executable =
      engine::compile_inference(network, {options.batch, options.height, options.width}, device(), std::make_shared<engine::Arena>());
  runner.executable->prepare();
  fill_bench_image(runner.executable->image());
  runner.executable->run();  // the first touches the memory
  return runner;
}

void measure(std::vector<Runner>& runners, double seconds) {
  constexpr int64_t kLeastRounds = 3;
  const auto begin = std::chrono::steady_clock::now();
  const double limit = 1000 * seconds * static_cast<double>(runners.size());
  for (int64_t round = 0; round < kLeastRounds || milliseconds_since(begin) < limit; ++round) {
    for (Runner& runner : runners) runner.times.push_back(timed_run(*runner.executable));
  }
}

}  // namespace

std::vector<Comparison> compare(const std::vector<std::string>& names_or_files, const CompareOptions& options) {
  if (names_or_files.empty()) fail(ErrorKind::usage, "no model to compare, at least 1 expected");
  if (options.batch < 1) fail(ErrorKind::usage, "a batch of {}, at least 1 expected", options.batch);
  if (!(options.seconds >= 0)) fail(ErrorKind::usage, "{} seconds to measure for, at least 0 expected", options.seconds);
  const bool timed = options.seconds > 0;
  std::vector<Comparison> result;
  std::vector<Runner> runners;
  for (const std::string& name : names_or_files) {
    const auto network = plain_network(name, timed ? std::optional<uint64_t>(0) : std::nullopt);
    result.push_back(describe(name, *network, options));
    if (timed) runners.push_back(runner_for(*network, options));
  }
  if (timed) measure(runners, options.seconds);
  for (size_t i = 0; i < runners.size(); ++i) {
    std::vector<double>& times = runners[i].times;
    std::ranges::sort(times);
    result[i].least_milliseconds = times.front();
    result[i].median_milliseconds = median(times);
    result[i].runs = static_cast<int64_t>(times.size());
  }
  return result;
}

}  // namespace fovea
