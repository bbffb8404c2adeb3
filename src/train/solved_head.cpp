#include "train/solved_head.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <set>

#include "base/error.h"
#include "look/views.h"
#include "train/metrics.h"

namespace fovea::training {
namespace {

// Fits that train together, and those of them that may answer. Squashed and padded pictures show the whole object, so that each helps the
// other as an augmentation; the middle of a picture is something else, and hurts both.
struct FitGroup {
  std::vector<Fits> fits, answers;
};

std::vector<FitGroup> fit_groups(const Phase& phase, const Preprocessing& own) {
  if (own.second_fit) return {{{fits_of(own)}, {fits_of(own)}}};
  const auto alike = [&](Fit fit) -> std::vector<Fits> {
    if (fit == Fit::crop || !phase.second_fit) return {{fit}};
    return {{fit}, {fit == Fit::squash ? Fit::pad : Fit::squash}};
  };
  std::vector<FitGroup> groups{{alike(own.fit), {{own.fit}}}};
  if (phase.choose_fit) {
    for (const Fit fit : {Fit::squash, Fit::pad, Fit::crop}) {
      if (fit == own.fit) continue;
      const auto found = std::ranges::find_if(groups, [&](const FitGroup& group) { return std::ranges::count(group.fits, Fits{fit}) > 0; });
      if (found == groups.end())
        groups.push_back({alike(fit), {{fit}}});
      else
        found->answers.push_back({fit});
    }
  }
  // One more group trains on both and answers with their mean: what one gets wrong the other may get right.
  const Fits both = own.fit == Fit::pad ? Fits{Fit::pad, Fit::squash} : Fits{Fit::squash, Fit::pad};
  if (phase.average_fits && (own.fit != Fit::crop || phase.choose_fit)) groups.push_back({{both}, {both}});
  return groups;
}

// Square pictures look the same squashed and padded.
bool look_alike(const FeatureStore& features, const std::vector<image::Sample>& samples, const Fits& fits) {
  int64_t read = 0;
  return std::ranges::all_of(samples, [&](const image::Sample& sample) {
    if (++read % kRowsAtOnce == 0) features.let_go();
    return std::ranges::all_of(
        fits, [&](Fit fit) { return std::ranges::equal(features.row(sample, fit, false), features.row(sample, fits.front(), false)); });
  });
}

// The fits without repetition.
std::vector<Fit> every_fit(const std::vector<Fits>& ways) {
  std::set<Fit> all;
  for (const Fits& fits : ways) all.insert(fits.begin(), fits.end());
  return {all.begin(), all.end()};
}

// A picture's targets by class.
void write_targets(const image::Sample& sample, const LossOptions& loss, std::span<float> targets) {
  const bool binary = loss.kind == LossOptions::Kind::binary;
  const double rest = loss.smoothing / (binary ? 2.0 : static_cast<double>(targets.size()));
  for (size_t i = 0; i < sample.targets.size(); ++i)
    targets[i] = static_cast<float>((1 - loss.smoothing) * static_cast<double>(sample.targets[i]) + rest);
  if (!sample.targets.empty()) return;
  std::ranges::fill(targets, static_cast<float>(rest));
  for (const int32_t label : image::labels_of(sample)) targets[static_cast<size_t>(label)] = static_cast<float>(1 - loss.smoothing + rest);
}

// Gives every class the same weight in the loss, where that is asked for.
void weigh_classes(std::vector<ProbePicture>& pictures, const std::vector<image::Sample>& samples, int64_t classes) {
  std::vector<double> counts(static_cast<size_t>(classes), 0.0);
  for (const image::Sample& sample : samples) ++counts[static_cast<size_t>(sample.label)];
  for (size_t i = 0; i < pictures.size(); ++i)
    pictures[i].weight =
        static_cast<double>(samples.size()) / (static_cast<double>(classes) * counts[static_cast<size_t>(samples[i].label)]);
}

ProbeData data_of(const Parts& parts, const Phase& phase, const FitGroup& group, const std::vector<image::Sample>& samples,
                  const FeatureStore& features, const std::vector<int64_t>& fold_of) {
  ProbeData data;
  data.width = features.width();
  data.classes = parts.network->class_count();
  data.likelihood = phase.loss.kind == LossOptions::Kind::binary ? Likelihood::binary : Likelihood::softmax;
  data.fits = group.fits;
  data.answers = group.answers;
  data.train_on_mirrored = phase.augmentation.has_value();
  data.mirrored = phase.mirrored;
  data.fold_of = fold_of;
  data.spill = features.spill();
  data.let_go = [&features] { features.let_go(); };
  data.targets = SpillArray<float>(data.spill, static_cast<int64_t>(samples.size()) * data.classes);
  const bool mirrored = data.train_on_mirrored || data.mirrored != Choice::off;
  const std::vector<Fit> fits = every_fit(group.fits);
  for (const image::Sample& sample : samples) {
    const auto index = static_cast<int64_t>(data.pictures.size());
    ProbePicture& picture = data.pictures.emplace_back();
    for (const Fit fit : fits) {
      picture.plain[static_cast<size_t>(fit)] = features.row(sample, fit, false);
      if (mirrored) picture.mirrored[static_cast<size_t>(fit)] = features.row(sample, fit, true);
    }
    write_targets(sample, phase.loss, data.targets.part(index * data.classes, data.classes));
  }
  if (phase.loss.class_weights) weigh_classes(data.pictures, samples, data.classes);
  return data;
}

Evaluation evaluate_head(const engine::Network& network, const ProbeHead& head, const FeatureStore& features,
                         const std::vector<image::Sample>& samples, bool keep_outcomes) {
  const std::vector<Fit> fits = fits_of(network.preprocessing());
  const std::vector<bool> views = network.preprocessing().mirrored ? std::vector<bool>{false, true} : std::vector<bool>{false};
  const auto once = [&](const image::Sample& sample, Fit fit, bool mirrored) {
    const auto row = features.row(sample, fit, mirrored);
    std::vector<float> logits;
    for (size_t k = 0; k < head.bias.size(); ++k)
      logits.push_back(static_cast<float>(std::inner_product(
          row.begin(), row.end(), head.weight.begin() + static_cast<std::ptrdiff_t>(k * row.size()), static_cast<double>(head.bias[k]))));
    return logits;
  };
  Tally tally(network.classes(), network.form().head.independent);
  int64_t read = 0;
  for (const image::Sample& sample : samples) {
    if (++read % kRowsAtOnce == 0) features.let_go();
    std::vector<float> answers;
    for (const Fit fit : fits)
      for (const bool mirrored : views) {
        const std::vector<float> logits = once(sample, fit, mirrored);
        answers.insert(answers.end(), logits.begin(), logits.end());
      }
    tally.add(look::mean(answers, static_cast<int64_t>(fits.size() * views.size())), sample, keep_outcomes);
  }
  features.let_go();
  return tally.finish();
}

void put(const ProbeHead& head, engine::Network& network) { network.set_head_layer({head.weight, head.bias}); }

}  // namespace

void apply(const ProbeChoice& choice, engine::Network& network) {
  Preprocessing preprocessing = network.preprocessing();
  set_fits(preprocessing, choice.best.fits);
  preprocessing.mirrored = choice.best.mirrored;
  network.set_preprocessing(preprocessing);
}

std::optional<SolvedHead> solve_head(const Parts& parts, const Phase& phase, FeatureStore& features,
                                     const std::optional<ProbeChoice>& chosen, uint64_t seed, const OnBatch& on_batch) {
  const auto& splits = parts.data.splits;
  image::Dataset pictures = splits.train;
  std::vector<image::Sample>& samples = pictures.samples;
  if (phase.with_validation) samples.insert(samples.end(), splits.validation.samples.begin(), splits.validation.samples.end());
  const std::vector<FitGroup> groups =
      chosen ? std::vector<FitGroup>{{chosen->fits, {chosen->best.fits}}} : fit_groups(phase, parts.network->preprocessing());

  std::vector<FeatureStore::Wanted> wanted;
  const bool mirrored = phase.augmentation.has_value() || phase.mirrored != Choice::off;
  for (const FitGroup& group : groups) {
    wanted.push_back({samples, every_fit(group.fits), mirrored});
    if (!phase.with_validation) wanted.push_back({splits.validation.samples, every_fit(group.answers), phase.mirrored != Choice::off});
  }
  if (!features.compute(parts, wanted, on_batch)) return std::nullopt;

  const auto begun = std::chrono::steady_clock::now();
  SolvedHead solved;
  std::optional<Probe> best;
  const std::vector<int64_t> fold_of = deal_folds(pictures, groups_of(parts.data, pictures), seed);
  for (const FitGroup& group : groups) {
    const Fits& fits = group.fits.front();
    if (groups.size() > 1 && fits.size() > 1 && look_alike(features, samples, fits)) continue;
    Probe probe(data_of(parts, phase, group, samples, features, fold_of));
    ProbeChoice choice = chosen ? *chosen : probe.choose();
    std::vector<ProbeTrial> trials = solved.choice.trials;
    trials.insert(trials.end(), choice.trials.begin(), choice.trials.end());
    if (!best || better(choice.best, solved.choice.best)) {
      solved.choice = std::move(choice);
      best.emplace(std::move(probe));
    }
    solved.choice.trials = std::move(trials);
  }
  const ProbeHead head = best->solve(solved.choice.best.penalty);
  put(head, *parts.network);
  apply(solved.choice, *parts.network);
  solved.training = evaluate_head(*parts.network, head, features, samples, false);
  if (!phase.with_validation && !splits.validation.samples.empty())
    solved.validation = evaluate_head(*parts.network, head, features, splits.validation.samples, true);
  solved.pictures = static_cast<int64_t>(samples.size());
  solved.steps = head.steps;
  solved.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return solved;
}

}  // namespace fovea::training
