#include <fovea/train.h>

#include "api/dataset.h"
#include "api/device.h"
#include "api/implementation.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "train/job.h"
#include "train/rate_finder.h"

namespace fovea {
namespace {

training::Plan plan_for(const TrainOptions& options, const training::Facts& facts) {
  if (options.recipe == Recipe::probe)
    fail(ErrorKind::usage, "the recipe probe fits a head to convergence and has no rate to be found: finetune or full have one");
  return training::plan_of_steps(options, facts);
}

template <class Find>
RateCurve find_rate_on(const Model& model, const TrainOptions& given, const RateSearch& search, Find&& find) {
  Model::Implementation& implementation = model.implementation();
  TrainOptions options = given;
  options.optimizer.lr.reset();
  options.data.feature_cache = FeatureCache::off;  // which could be a file
  options.run.out.clear();
  if (options.freeze.empty() && implementation.freeze_given) options.freeze = implementation.freeze;
  if (options.run.threads != 0) set_threads(options.run.threads);
  const size_t states = implementation.network().store()->bytes();
  engine::MemoryAccount memory(options.run.memory_bytes, states);
  const std::shared_ptr<engine::Network> network = implementation.network().clone();
  training::Job job(implementation.network(), options, implementation.loaded.source != "none", plan_for);
  job.take(find());
  try {
    job.look();
  } catch (const training::Cancelled&) {
    return {};
  }
  training::Data& data = job.data();
  training::divide(data, options);
  const training::Plan plan = job.plan(data.splits, options);
  if (job.new_head()) network->replace_head(job.classes(), job.head(), options.run.seed);
  network->set_preprocessing(job.preprocessing());
  if (options.regularization.dropout) network->set_dropout(*options.regularization.dropout);

  const training::Phase& phase = plan.phases.back();
  // In a recipe that trains the head first, it is no longer random when the rest trains.
  if (plan.phases.size() > 1 || phase.zero_head) network->restart_head(options.run.seed);
  const auto arena = std::make_shared<engine::Arena>();
  engine::Session session(network, device(), arena);
  const std::vector<float> weights = training::class_weights_of(data.splits.train);
  const auto on_step = [&](int64_t done, int64_t all, double loss) {
    return (!options.run.progress || options.run.progress({"rates", 1, 1, done, all, loss})) && !options.run.cancel.stop_requested();
  };
  const size_t held = states + data.cache->bytes();
  RateCurve curve = training::search_rates({network, device(), arena, session, data, options}, phase, weights,
                                           mix64(options.run.seed), search, {held, held}, memory, on_step);
  curve.recipe = plan.recipe;
  curve.optimizer = training::to_string(phase.optimizer);
  return curve;
}

}  // namespace

RateCurve find_rate(const Model& model, const std::string& folder, const TrainOptions& options, const RateSearch& search) {
  return find_rate_on(model, options, search, [&] { return training::find_pictures(folder); });
}

RateCurve find_rate(const Model& model, const std::vector<std::string>& files, const TrainOptions& options, const RateSearch& search) {
  return find_rate_on(model, options, search, [&] { return training::find_pictures(files); });
}

RateCurve find_rate(const Model& model, const Dataset& data, const TrainOptions& options, const RateSearch& search) {
  return find_rate_on(model, options, search, [&] { return splits_of(data, model.classes()); });
}

}  // namespace fovea
