#include "train/cross_validation.h"

#include <fovea/result_fields.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json_value.h"
#include "image/stratify.h"
#include "train/metrics.h"
#include "train/run_folder.h"

namespace fovea::training {
namespace {

constexpr size_t kProbabilities = 4;  // columns before them

// The logit that gave this probability, up to a constant that softmax does not see.
float logit_of(float probability, bool independent) {
  constexpr double kLeast = 1e-30, kNearest = 1e-12;  // to 0 and to 1
  const auto p = static_cast<double>(probability);
  if (!independent) return static_cast<float>(std::log(std::max(p, kLeast)));
  const double inside = std::clamp(p, kNearest, 1 - kNearest);
  return static_cast<float>(std::log(inside) - std::log1p(-inside));
}

// Of what a picture shows; with `thresholds`, of several labels, of what was told.
std::string names_of(const std::vector<std::string>& classes, const Outcome& outcome, bool predicted,
                     const std::vector<double>& thresholds = {}) {
  if (outcome.label >= 0) return classes[static_cast<size_t>(predicted ? outcome.predicted : outcome.label)];
  std::vector<std::string> names;
  for (size_t i = 0; i < classes.size(); ++i) {
    const bool has = predicted ? static_cast<double>(outcome.probabilities[i]) >= thresholds[i]
                               : std::ranges::count(outcome.labels, static_cast<int64_t>(i)) > 0;
    if (has) names.push_back(classes[i]);
  }
  return fmt::format("{}", fmt::join(names, ";"));
}

// Both in one, in the order that a dataset has.
image::Dataset together(const image::Dataset& a, const image::Dataset& b) {
  image::Dataset all = a;
  all.samples.insert(all.samples.end(), b.samples.begin(), b.samples.end());
  image::sort_samples(all.samples);
  return all;
}

TrainOptions partial_options(const TrainOptions& options, uint64_t seed, const std::string& folder) {
  TrainOptions own = options;
  own.data.folds = 0;
  own.data.seeds = 1;
  own.run.seed = seed;
  own.run.report = false;
  own.run.note = {};  // one line a run is enough
  if (!options.run.out.empty()) own.run.out = (std::filesystem::path(options.run.out) / folder).string();
  return own;
}

// Runs one after the other; notes what came of each.
class Runs {
 public:
  Runs(const TrainOptions& options, const RunOne& run, int64_t all) : options_(options), run_(run), all_(all) {}

  std::optional<PartialResult> operator()(PartialRun& one) {
    ++number_;
    if (options_.run.progress) {
      one.options.run.progress = [this](TrainProgress step) {
        step.run = number_;
        step.runs = all_;
        step.last = false;  // the one on all pictures is still to come
        return options_.run.progress(step);
      };
    }
    if (options_.run.note && one.data.looks)
      for (const std::string& line : auditing::leak_warnings(auditing::audit(one.data.splits, *one.data.looks)))
        options_.run.note(one.name + ": " + line);
    auto result = run_(one);
    if (!result) return result;
    of_ = result->score.labels ? "mean_average_precision" : "accuracy";
    if (options_.run.note)
      options_.run.note(fmt::format("{}: {} {:.1f} % of {} pictures", one.name,
                                    result->score.labels ? "mean average precision" : "accuracy", 100 * measure_of(result->score),
                                    result->score.pictures));
    return result;
  }
  const std::string& of() const { return of_; }

 private:
  const TrainOptions& options_;
  const RunOne& run_;
  int64_t number_ = 0, all_;
  std::string of_ = "accuracy";
};

void run_folds(const TrainOptions& options, const Data& data, Runs& runs, CrossValidation& result) {
  const image::Dataset pictures = together(data.splits.train, data.splits.validation);
  const std::vector<int64_t> groups = groups_of(data, pictures);
  std::vector<double> of_folds, of_seeds;
  std::vector<Outcome> outcomes;
  for (int64_t s = 0; s < options.data.seeds; ++s) {
    const uint64_t seed = options.run.seed + static_cast<uint64_t>(s);
    std::vector<image::Splits> folds = image::make_folds(pictures, options.data.folds, seed, groups);
    double sum = 0;
    for (size_t k = 0; k < folds.size(); ++k) {
      const std::string fold = fmt::format("fold-{}", k + 1),
                        folder = options.data.seeds > 1 ? fmt::format("seed-{}/{}", seed, fold) : fold;
      PartialRun one{fmt::format("fold {} of {}", k + 1, folds.size()), partial_options(options, seed, folder), data};
      if (options.data.seeds > 1) one.name = fmt::format("seed {}, {}", seed, one.name);
      one.data.splits = std::move(folds[k]);
      divide(one.data, one.options);
      std::optional<PartialResult> done = runs(one);
      if (!done) {
        result.interrupted = true;
        return;
      }
      result.seconds += done->seconds;
      of_folds.push_back(measure_of(done->score));
      sum += of_folds.back();
      if (s == 0) outcomes.insert(outcomes.end(), done->outcomes.begin(), done->outcomes.end());
    }
    of_seeds.push_back(sum / static_cast<double>(folds.size()));
  }
  result.folds = spread_of(std::move(of_folds), runs.of());
  if (options.data.seeds > 1) result.seeds = spread_of(std::move(of_seeds), runs.of());
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < pictures.samples.size(); ++i) place.emplace(pictures.samples[i].path, i);
  std::ranges::sort(outcomes, [&](const Outcome& a, const Outcome& b) { return place.at(a.file) < place.at(b.file); });
  result.out_of_fold = evaluate_outcomes(pictures.classes, pictures.multi_label, std::move(outcomes));
}

void run_seeds(const TrainOptions& options, const Data& data, Runs& runs, CrossValidation& result) {
  std::vector<double> values{0};  // the caller's comes first
  for (int64_t s = 1; s < options.data.seeds; ++s) {
    const uint64_t seed = options.run.seed + static_cast<uint64_t>(s);
    PartialRun one{fmt::format("seed {}", seed), partial_options(options, seed, fmt::format("seed-{}", seed)), data};
    divide(one.data, one.options);
    if (one.data.splits.test.samples.empty())
      fail(ErrorKind::usage, "{} seeds, but no picture is there to test: a test share, a test folder or folds are needed",
           options.data.seeds);
    const std::optional<PartialResult> done = runs(one);
    if (!done) {
      result.interrupted = true;
      return;
    }
    result.seconds += done->seconds;
    values.push_back(measure_of(done->score));
  }
  result.seeds = spread_of(std::move(values), runs.of());
}

}  // namespace

double student_t(int64_t degrees_of_freedom) {
  constexpr std::array<double, 30> kTable{12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
                                          2.2010,  2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
                                          2.0796,  2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423};
  if (degrees_of_freedom < 1) fail(ErrorKind::internal, "Student's t with {} degrees of freedom", degrees_of_freedom);
  if (degrees_of_freedom <= static_cast<int64_t>(kTable.size())) return kTable[static_cast<size_t>(degrees_of_freedom - 1)];
  // Cornish-Fisher: Abramowitz and Stegun 26.7.5.
  constexpr double z = 1.959963985, z3 = z * z * z, z5 = z3 * z * z;
  const auto n = static_cast<double>(degrees_of_freedom);
  return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n);
}

Spread spread_of(std::vector<double> values, std::string of) {
  Spread spread;
  spread.values = std::move(values);
  spread.of = std::move(of);
  const auto count = static_cast<double>(spread.values.size());
  if (spread.values.empty()) return spread;
  spread.mean = std::accumulate(spread.values.begin(), spread.values.end(), 0.0) / count;
  spread.low = spread.high = spread.mean;
  if (spread.values.size() < 2) return spread;
  double squares = 0;
  for (double value : spread.values) squares += (value - spread.mean) * (value - spread.mean);
  spread.deviation = std::sqrt(squares / (count - 1));
  const double half = student_t(static_cast<int64_t>(spread.values.size()) - 1) * spread.deviation / std::sqrt(count);
  spread.low = spread.mean - half;
  spread.high = spread.mean + half;
  return spread;
}

nlohmann::json spread_json(const Spread& spread) {
  nlohmann::json text;
  fields(spread, [&](const auto& name, const auto& value) { text[name] = value; });
  return text;
}

std::string predictions_csv(const std::vector<std::string>& classes, const std::vector<Outcome>& outcomes,
                            const std::vector<double>& thresholds) {
  std::string text = "file,true,predicted,confidence";
  for (const std::string& name : classes) text += "," + csv_field(name);
  text += "\n";
  for (const Outcome& outcome : outcomes) {
    text += fmt::format("{},{},{},{}", csv_field(outcome.file), csv_field(names_of(classes, outcome, false)),
                        csv_field(names_of(classes, outcome, true, thresholds)), static_cast<float>(outcome.confidence));
    for (float probability : outcome.probabilities) text += fmt::format(",{}", probability);
    text += "\n";
  }
  return text;
}

std::vector<Outcome> read_predictions(const std::filesystem::path& path, const std::vector<std::string>& classes, bool independent) {
  std::map<std::string, int64_t> known;
  for (size_t i = 0; i < classes.size(); ++i) known.emplace(classes[i], static_cast<int64_t>(i));
  const std::vector<CsvRow> rows = read_csv(path.string(), read_text(path));
  const auto wrong = [&](int64_t line) {
    fail(ErrorKind::format, "{}: line {}: is not what was predicted for {} classes", path.string(), line, classes.size());
  };
  const auto number_of = [&](const std::string& name, int64_t line) {
    const auto found = known.find(name);
    if (found == known.end()) wrong(line);
    return found->second;
  };
  std::vector<Outcome> outcomes;
  for (size_t r = 1; r < rows.size(); ++r) {
    const CsvRow& row = rows[r];
    if (row.fields.size() != kProbabilities + classes.size()) wrong(row.line);
    Outcome outcome{row.fields[0], -1, -1, 1, {}, {}};
    for (size_t i = kProbabilities; i < row.fields.size(); ++i) {
      float& value = outcome.probabilities.emplace_back();
      const std::string& field = row.fields[i];
      if (std::from_chars(field.data(), field.data() + field.size(), value).ptr != field.data() + field.size()) wrong(row.line);
    }
    if (independent) {
      const std::string& names = row.fields[1];
      for (size_t begin = 0; begin < names.size();) {
        const size_t end = std::min(names.find(';', begin), names.size());
        outcome.labels.push_back(number_of(names.substr(begin, end - begin), row.line));
        begin = end + 1;
      }
      for (float yes : outcome.probabilities)
        outcome.confidence = std::min(outcome.confidence, static_cast<double>(std::max(yes, 1 - yes)));
    } else {
      outcome.label = number_of(row.fields[1], row.line);
      outcome.predicted = number_of(row.fields[2], row.line);
      outcome.confidence = static_cast<double>(outcome.probabilities[static_cast<size_t>(outcome.predicted)]);
      outcome.label_probability = static_cast<double>(outcome.probabilities[static_cast<size_t>(outcome.label)]);
    }
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

Evaluation evaluate_outcomes(const std::vector<std::string>& classes, bool independent, std::vector<Outcome> outcomes) {
  Tally tally(classes, independent);
  for (const Outcome& outcome : outcomes) {
    std::vector<float> logits;
    for (float probability : outcome.probabilities) logits.push_back(logit_of(probability, independent));
    const std::vector<int32_t> labels(outcome.labels.begin(), outcome.labels.end());
    tally.add(logits, image::Sample{outcome.file, static_cast<int32_t>(outcome.label), "", labels}, false);
  }
  Evaluation evaluation = tally.finish();
  evaluation.outcomes = std::move(outcomes);
  return evaluation;
}

CrossValidation cross_validate(const TrainOptions& options, const Data& data, const RunOne& run) {
  CrossValidation result;
  if (options.data.folds <= 0 && options.data.seeds <= 1) return result;
  if (options.data.folds > 0 && options.data.test > 0)
    fail(ErrorKind::usage, "{} folds and a test share of {} contradict each other: every fold is tested", options.data.folds,
         options.data.test);
  if (!options.run.resume && !options.run.out.empty() && forget_runs(options.run.out) && options.run.note)
    options.run.note(fmt::format("the finished run in {} is replaced", options.run.out));
  Runs runs(options, run, (options.data.folds > 0 ? options.data.folds * options.data.seeds : options.data.seeds - 1) + 1);
  if (options.data.folds > 0)
    run_folds(options, data, runs, result);
  else
    run_seeds(options, data, runs, result);
  return result;
}

void add_first_seed(CrossValidation& validation, const Score& score) {
  if (!validation.seeds || validation.folds) return;
  std::vector<double> values = std::move(validation.seeds->values);
  values.front() = measure_of(score);
  validation.seeds = spread_of(std::move(values), validation.seeds->of);
}

}  // namespace fovea::training
