#include "train/probe.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "image/stratify.h"
#include "look/views.h"
#include "train/metrics.h"
#include "train/standardize.h"

namespace fovea::training {
namespace {

constexpr int64_t kFolds = 5;
// Penalties from strong to weak; each solution is the start of the next.
constexpr double kStrongest = 1e-1, kRatio = 0.31622776601683794;
constexpr int kPenalties = 13;
constexpr int kPatience = 2;            // weaker penalties without a lower loss, after which no weaker one is tried
constexpr double kUsualPenalty = 1e-4;  // where there are too few pictures to choose by
constexpr double kRoughly = 1e-3;       // tolerance while choosing

// The standardized mean of the picture's features over the fits, and over picture and mirror image.
void write_row(const Standardization& standardization, const ProbePicture& picture, const Fits& fits, bool mirrored, std::span<float> out) {
  std::vector<float> rows;
  for (const Fit fit : fits) {
    const auto append = [&](std::span<const float> row) { rows.insert(rows.end(), row.begin(), row.end()); };
    append(picture.row(fit, false));
    if (mirrored) append(picture.row(fit, true));
  }
  standardization.apply(look::mean(rows, static_cast<int64_t>(fits.size()) * (mirrored ? 2 : 1)), out);
}

bool right(std::span<const double> logits, std::span<const float> targets, Likelihood likelihood) {
  if (likelihood == Likelihood::softmax)
    return std::ranges::max_element(logits) - logits.begin() == std::ranges::max_element(targets) - targets.begin();
  for (size_t k = 0; k < logits.size(); ++k)
    if ((logits[k] >= 0) != (targets[k] >= 0.5f)) return false;
  return true;
}

}  // namespace

bool better(const ProbeTrial& a, const ProbeTrial& b) { return a.loss < b.loss; }

std::vector<int64_t> deal_folds(const image::Dataset& pictures, std::span<const int64_t> groups, uint64_t seed) {
  const int64_t folds = std::min(kFolds, static_cast<int64_t>(pictures.samples.size()) / 2);
  if (folds < 2) return {};
  const std::vector<double> shares(static_cast<size_t>(folds), 1 / static_cast<double>(folds));
  const std::vector<size_t> parts = image::stratify(pictures, shares, RandomStream(seed, "folds of the probe").bits(0), groups);
  return {parts.begin(), parts.end()};
}

Probe::~Probe() = default;
Probe::Probe(Probe&&) noexcept = default;

Probe::Probe(ProbeData data) : data_(std::move(data)) {
  standardize();
  const auto ways = static_cast<int64_t>(data_.fits.size()), pictures = static_cast<int64_t>(data_.pictures.size());
  for (const ProbePicture& picture : data_.pictures) weights_.insert(weights_.end(), data_.fits.size(), picture.weight);
  std::vector<float> targets;
  const RowSource targets_of = [&](int64_t begin, int64_t count) -> std::span<const float> {
    targets.clear();
    for (int64_t row = begin; row < begin + count; ++row) {
      const auto own = data_.targets_of(row / ways);
      targets.insert(targets.end(), own.begin(), own.end());
    }
    data_.targets.let_go();
    return targets;
  };
  regression_ = std::make_unique<LogisticRegression>(
      LogisticData{pictures * ways, data_.width, data_.classes, rows_of(data_.fits, data_.train_on_mirrored), targets_of, weights_,
                   data_.likelihood},
      data_.spill);

  for (const Fits& fits : data_.answers) {
    for (const bool mirrored : {false, true}) {
      if (mirrored ? data_.mirrored == Choice::off : data_.mirrored == Choice::on) continue;
      asked_.push_back({{fits, mirrored, 0, 0, 0}, regression_->coordinates(pictures, rows_of({fits}, mirrored))});
    }
  }
}

void Probe::standardize() {
  standardization_ = std::make_unique<Standardization>(data_.width);
  for (size_t i = 0; i < data_.pictures.size(); ++i) {
    const ProbePicture& picture = data_.pictures[i];
    for (const Fits& fits : data_.fits)
      for (const Fit fit : fits) {
        standardization_->count(picture.row(fit, false));
        if (data_.train_on_mirrored) standardization_->count(picture.row(fit, true));
      }
    if (data_.let_go && (i + 1) % kRowsAtOnce == 0) data_.let_go();
  }
  standardization_->finish();
}

RowSource Probe::rows_of(const std::vector<Fits>& ways, bool mirrored) const {
  return [this, ways, mirrored, rows = std::vector<float>()](int64_t begin, int64_t count) mutable -> std::span<const float> {
    const auto width = static_cast<size_t>(data_.width), all = ways.size();
    rows.resize(static_cast<size_t>(count) * width);
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      const size_t row = static_cast<size_t>(begin) + i;
      write_row(*standardization_, data_.pictures[row / all], ways[row % all], mirrored, std::span(rows).subspan(i * width, width));
    }
    if (data_.let_go) data_.let_go();
    return rows;
  };
}

ProbeChoice Probe::choose() const {
  ProbeChoice choice;
  choice.fits = data_.fits;
  const auto pictures = static_cast<int64_t>(data_.pictures.size());
  choice.folds = data_.fold_of.empty() ? 0 : 1 + *std::ranges::max_element(data_.fold_of);
  for (const Asked& asked : asked_) choice.trials.push_back(asked.trial);
  for (ProbeTrial& trial : choice.trials) {
    trial.loss = std::numeric_limits<double>::infinity();
    trial.penalty = kUsualPenalty;
  }
  std::vector<std::vector<LogisticRegression::Solution>> starts(static_cast<size_t>(choice.folds));
  std::vector<std::vector<ProbeTrial>> tried(asked_.size());
  int since = 0;
  double penalty = kStrongest;
  for (int p = 0; p < kPenalties && since < kPatience && choice.folds > 0; ++p, penalty *= kRatio) {
    std::vector<ProbeTrial> trials;
    for (const Asked& asked : asked_) trials.push_back(asked.trial);
    for (int64_t fold = 0; fold < choice.folds; ++fold) hold_out(fold, penalty, starts[static_cast<size_t>(fold)], trials);
    ++since;
    for (size_t t = 0; t < trials.size(); ++t) {
      trials[t].penalty = penalty;
      trials[t].accuracy /= static_cast<double>(pictures);
      trials[t].loss /= static_cast<double>(pictures);
      tried[t].push_back(trials[t]);
      if (!(trials[t].loss < choice.trials[t].loss)) continue;
      choice.trials[t] = trials[t];
      since = 0;
    }
  }

  const auto best = std::ranges::max_element(choice.trials, [](const auto& a, const auto& b) { return better(b, a); });
  choice.best = *best;
  choice.curve = std::move(tried[static_cast<size_t>(best - choice.trials.begin())]);
  choice.c = 1 / (choice.best.penalty * regression_->mean_square() * static_cast<double>(weights_.size()));
  return choice;
}

void Probe::hold_out(int64_t fold, double penalty, std::vector<LogisticRegression::Solution>& starts,
                     std::vector<ProbeTrial>& trials) const {
  const size_t views = data_.fits.size(), pictures = data_.pictures.size();
  std::vector<int64_t> rows;
  for (size_t i = 0; i < pictures; ++i)
    for (size_t f = 0; f < views && data_.fold_of[i] != fold; ++f) rows.push_back(static_cast<int64_t>(i * views + f));
  LogisticRegression::Subset subset{rows, kRoughly, starts.empty() ? nullptr : &starts.front()};
  LogisticRegression::Solution solution = regression_->solve(penalty * regression_->mean_square(), subset);
  const int64_t rank = regression_->rank();
  std::vector<double> logits(static_cast<size_t>(data_.classes)), targets(logits.size());
  for (size_t a = 0; a < asked_.size(); ++a)
    for (int64_t i = 0; i < static_cast<int64_t>(pictures); ++i) {
      if ((i + 1) % kRowsAtOnce == 0) {
        asked_[a].places.let_go();
        data_.targets.let_go();
      }
      if (data_.fold_of[static_cast<size_t>(i)] != fold) continue;
      regression_->logits(solution, asked_[a].places.part(i * rank, rank), logits);
      const std::span<const float> own = data_.targets_of(i);
      trials[a].accuracy += right(logits, own, data_.likelihood);
      std::ranges::copy(own, targets.begin());
      trials[a].loss += logistic_loss(data_.likelihood, logits, targets);
    }
  starts.assign(1, std::move(solution));
}

ProbeHead Probe::solve(double penalty) const {
  const auto solution = regression_->solve(penalty * regression_->mean_square(), {});
  const auto linear = regression_->linear(solution);
  ProbeHead head{{linear.weight.begin(), linear.weight.end()}, {linear.bias.begin(), linear.bias.end()}, solution.steps};
  standardization_->fold(head.weight, head.bias);
  return head;
}

std::string ProbeChoice::text() const {
  std::string line = fmt::format("C {:.3g}, fit {}{}", c, to_string(best.fits), best.mirrored ? ", mirrored answers averaged in" : "");
  if (folds == 0) return line + " (too few pictures to choose by)";
  line += fmt::format(": accuracy {:.1f} %, loss {:.3f} by {}-fold cross validation", 100 * best.accuracy, best.loss, folds);
  for (const ProbeTrial& trial : trials)
    if (trial.fits != best.fits || trial.mirrored != best.mirrored)
      line += fmt::format("; {}{} {:.1f} %, {:.3f}", to_string(trial.fits), trial.mirrored ? " mirrored" : "", 100 * trial.accuracy,
                          trial.loss);
  return line;
}

}  // namespace fovea::training
