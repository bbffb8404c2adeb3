#include "train/training.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/log_sink.h"
#include "base/parallel.h"
#include "train/freeze.h"
#include "train/job.h"
#include "train/rate_finder.h"
#include "train/run_folder.h"
#include "train/trainer.h"

namespace fovea::training {
namespace {

void tell_of(const image::Splits& found, const TrainOptions& options) {
  if (!options.run.note) return;
  for (const std::string& line : found.news) options.run.note(line);
  constexpr size_t most_named = 5;
  for (const std::string& line : image::lines_of(found.unused, most_named)) options.run.note(line);
}

Plan plan_with_rate(const TrainOptions& options, const Facts& facts) {
  if (options.recipe == Recipe::probe)
    fail(ErrorKind::usage, "the recipe probe fits a head to convergence and has no rate to be found: finetune or full have one");
  return plan_of_steps(options, facts);
}

}  // namespace

TrainResult run_training(TrainingInput input, TrainingHooks hooks) {
  engine::Network& network = *input.network;
  TrainOptions asked = std::move(input.options);
  const size_t states = network.store()->bytes();
  const auto memory = std::make_shared<engine::MemoryAccount>(asked.run.memory_bytes, states);
  check_freeze(network, asked.freeze);
  if (asked.run.threads != 0) set_threads(asked.run.threads);
  if (!asked.run.note && has_log_sink()) asked.run.note = [](const std::string& line) { log_line("train", line); };
  const bool writes = !asked.run.out.empty();
  if (writes) check_run_folder(asked);

  Job job(network, asked, input.pretrained);
  TrainOptions& options = job.options();
  image::Splits found = input.find();
  tell_of(found, options);
  job.take(std::move(found));
  // There has to be room for the model and for two checkpoints, each at least as large as the network.
  std::optional<RunFolder> folder;
  if (writes) {
    folder.emplace(options, 3 * states);
    options.run.out = folder->path().string();
  }
  TrainResult cancelled;
  cancelled.interrupted = true;
  try {
    job.look();
  } catch (const Cancelled&) {
    return cancelled;
  }
  job.tell();
  if (writes && (!options.run.resume || !std::filesystem::exists(folder->path() / kRunFile)))
    write_run_command(folder->path() / kRunFile, options.run.command);

  auto features = std::make_shared<FeatureStore>(spill_of(options));
  const CrossValidation cross_validation = job.cross_validate(input.backend, hooks.origin, features, memory);
  if (cross_validation.interrupted) return cancelled;

  Data& data = job.data();
  divide(data, options);
  if (job.new_head()) hooks.replace_head(job.classes(), job.head(), options.run.seed);
  network.set_preprocessing(job.preprocessing());
  Plan plan = job.plan(data.splits, options);
  if (hooks.tell_freeze) {
    const std::set<std::string> frozen = network.frozen_by(options.freeze);
    if (!frozen.empty())
      hooks.origin.freeze_savings = to_string(freeze_savings(network, frozen, plan.phases.back().batch, input.backend.traits()));
    if (options.run.note) options.run.note(fmt::format("freeze {}: {}", options.freeze, job.freeze_reason()));
    if (options.run.note && !frozen.empty()) options.run.note(hooks.origin.freeze_savings);
  }
  Trainer trainer({input.network, input.backend, options, data, std::move(plan), &cross_validation, std::move(hooks.origin),
                   std::move(features), memory});
  const auto write_page = [&] {
    if (writes && options.run.report) hooks.write_page(options.run.out, data);
  };
  TrainResult result;
  try {
    result = trainer.run();
  } catch (const Error&) {
    if (trainer.stopped()) write_page();
    throw;
  }
  if (result.interrupted) return result;
  write_page();
  if (writes) folder->finish();
  return result;
}

RateCurve find_rate(TrainingInput input, const RateSearch& search) {
  TrainOptions options = std::move(input.options);
  options.optimizer.lr.reset();
  options.data.feature_cache = FeatureCache::off;  // which could be a file
  options.run.out.clear();
  if (options.run.threads != 0) set_threads(options.run.threads);
  const size_t states = input.network->store()->bytes();
  engine::MemoryAccount memory(options.run.memory_bytes, states);
  const std::shared_ptr<engine::Network> network = input.network->clone();
  Job job(*input.network, options, input.pretrained, plan_with_rate);
  job.take(input.find());
  try {
    job.look();
  } catch (const Cancelled&) {
    return {};
  }
  Data& data = job.data();
  divide(data, options);
  const Plan plan = job.plan(data.splits, options);
  if (job.new_head()) network->replace_head(job.classes(), job.head(), options.run.seed);
  network->set_preprocessing(job.preprocessing());
  if (options.regularization.dropout) network->set_dropout(*options.regularization.dropout);

  const Phase& phase = plan.phases.back();
  // In a recipe that trains the head first, it is no longer random when the rest trains.
  if (plan.phases.size() > 1 || phase.zero_head) network->restart_head(options.run.seed);
  const auto arena = std::make_shared<engine::Arena>();
  engine::Session session(network, input.backend, arena);
  const std::vector<float> weights = class_weights_of(data.splits.train);
  const auto on_step = [&](int64_t done, int64_t all, double loss) {
    return (!options.run.progress || options.run.progress({"rates", 1, 1, done, all, loss})) && !options.run.cancel.stop_requested();
  };
  const size_t held = states + data.cache->bytes();
  RateCurve curve = search_rates({network, input.backend, arena, session, data, options}, phase, weights, mix64(options.run.seed), search,
                                 {held, held}, memory, on_step);
  curve.recipe = plan.recipe;
  curve.optimizer = to_string(phase.optimizer);
  return curve;
}

}  // namespace fovea::training
