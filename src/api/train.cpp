#include <fmt/format.h>
#include <fovea/train.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "api/dataset.h"
#include "api/device.h"
#include "api/implementation.h"
#include "api/report.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_sink.h"
#include "base/parallel.h"
#include "train/data.h"
#include "train/freeze.h"
#include "train/job.h"
#include "train/run_folder.h"
#include "train/trainer.h"

namespace fovea {

namespace {

void tell_of(const image::Splits& found, const TrainOptions& options) {
  if (!options.run.note) return;
  for (const std::string& line : found.news) options.run.note(line);
  constexpr size_t most_named = 5;
  for (const std::string& line : image::lines_of(found.unused, most_named)) options.run.note(line);
}

// `find` gives the pictures once the model is known to be as the options want it; `where` says in words which.
template <class Find>
TrainResult train_on(Model& model, const TrainOptions& given, const std::string& where, Find&& find) {
  Model::Implementation& implementation = model.implementation();
  engine::Network& network = implementation.changing();
  TrainOptions asked = given;
  const size_t states = network.store()->bytes();
  const auto memory = std::make_shared<engine::MemoryAccount>(asked.run.memory_bytes, states);
  if (asked.freeze.empty() && implementation.freeze_given) asked.freeze = implementation.freeze;
  training::check_freeze(network, asked.freeze);
  if (asked.run.threads != 0) set_threads(asked.run.threads);
  if (!asked.run.note && has_log_sink()) asked.run.note = [](const std::string& line) { log_line("train", line); };
  const bool writes = !asked.run.out.empty();
  if (writes) training::check_run_folder(asked);

  training::Job job(network, asked, implementation.loaded.source != "none");
  TrainOptions& options = job.options();
  image::Splits found = find();
  tell_of(found, options);
  job.take(std::move(found));
  // There has to be room for the model and for two checkpoints, each at least as large as the network.
  std::optional<training::RunFolder> folder;
  if (writes) {
    folder.emplace(options, 3 * states);
    options.run.out = folder->path().string();
  }
  TrainResult cancelled;
  cancelled.interrupted = true;
  try {
    job.look();
  } catch (const training::Cancelled&) {
    return cancelled;
  }
  job.tell();
  if (writes && (!options.run.resume || !std::filesystem::exists(folder->path() / training::kRunFile)))
    training::write_run_command(folder->path() / training::kRunFile, options.run.command);

  auto features = std::make_shared<training::FeatureStore>(training::spill_of(options));
  training::Origin origin = origin_of(model, where);
  const training::CrossValidation cross_validation = job.cross_validate(device(), origin, features, memory);
  if (cross_validation.interrupted) return cancelled;

  training::Data& data = job.data();
  training::divide(data, options);
  if (job.new_head()) implementation.replace_head(job.classes(), job.head(), options.run.seed);
  network.set_preprocessing(job.preprocessing());
  training::Plan plan = job.plan(data.splits, options);
  if (!given.freeze.empty()) {
    const std::set<std::string> frozen = network.frozen_by(options.freeze);
    if (!frozen.empty()) origin.freeze_savings = to_string(training::freeze_savings(network, frozen, plan.phases.back().batch, device().traits()));
    if (options.run.note) options.run.note(fmt::format("freeze {}: {}", options.freeze, job.freeze_reason()));
    if (options.run.note && !frozen.empty()) options.run.note(origin.freeze_savings);
  }
  training::Trainer trainer({implementation.shared_network(), device(), options, data, std::move(plan), &cross_validation,
                             std::move(origin), std::move(features), memory});
  const auto write_page = [&] {
    if (!options.run.report || !writes || !needs_page(options.run.out)) return;
    PicturesByName pictures;
    for (const image::Dataset* part : {&data.splits.train, &data.splits.validation, &data.splits.test})
      add_pictures(pictures, part->samples);
    write_run_page(options.run.out, implementation, pictures);
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

}  // namespace

TrainResult train(Model& model, const std::string& folder, const TrainOptions& options) {
  std::error_code none;
  if (!options.run.out.empty() && std::filesystem::equivalent(folder, options.run.out, none))
    fail(ErrorKind::usage, "{} holds the pictures; the run needs a folder of its own", options.run.out);
  return train_on(model, options, folder, [&] { return training::find_pictures(folder); });
}

TrainResult train(Model& model, const std::vector<std::string>& files, const TrainOptions& options) {
  return train_on(model, options, fmt::format("a list of {} files", files.size()), [&] { return training::find_pictures(files); });
}

TrainResult train(Model& model, const Dataset& data, const TrainOptions& options) {
  return train_on(model, options, data.implementation().where, [&] { return splits_of(data, model.classes()); });
}

std::vector<std::string> find_classes(const std::string& folder) { return training::find_pictures(folder).train.classes; }

std::vector<std::string> find_classes(const std::vector<std::string>& files) { return training::find_pictures(files).train.classes; }

}  // namespace fovea
