#include "train/label_metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include "engine/network.h"

namespace fovea::training {

double sigmoid(double logit) { return 1 / (1 + std::exp(-logit)); }

double binary_cross_entropy(std::span<const float> logits, std::span<const int32_t> labels) {
  double sum = 0;
  for (float logit : logits) {
    const auto x = static_cast<double>(logit);
    sum += std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  }
  for (int32_t label : labels) sum -= static_cast<double>(logits[static_cast<size_t>(label)]);
  return sum / static_cast<double>(logits.size());
}

double average_precision(std::span<const float> scores, const std::vector<bool>& truth) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  const auto positives = std::ranges::count(truth, true);
  if (positives == 0) return -1;
  double sum = 0;
  int64_t right = 0, before = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    right += truth[order[i]];
    if (i + 1 < order.size() && scores[order[i + 1]] == scores[order[i]]) continue;
    sum += static_cast<double>(right - before) * static_cast<double>(right) / static_cast<double>(i + 1);
    before = right;
  }
  return sum / static_cast<double>(positives);
}

double f1_of(const Counts& counts) {
  const int64_t all = 2 * counts.right + counts.wrong + counts.missed;
  return all > 0 ? 2 * static_cast<double>(counts.right) / static_cast<double>(all) : 0;
}

namespace {

// Answers to one question, or to all, and the threshold of the greatest F1.
class Answers {
 public:
  void add(float probability, bool is) {
    answers_.emplace_back(probability, is);
    positives_ += is;
  }
  bool enough() const { return positives_ >= kLeastAnswers && static_cast<int64_t>(answers_.size()) - positives_ >= kLeastAnswers; }

  double best() {
    std::ranges::sort(answers_, std::greater{}, &std::pair<float, bool>::first);
    double threshold = 0.5, greatest = -1;
    Counts counts{0, 0, positives_};
    for (size_t i = 0; i < answers_.size(); ++i) {
      ++(answers_[i].second ? counts.right : counts.wrong);
      counts.missed -= answers_[i].second;
      const auto lower = i + 1 < answers_.size() ? static_cast<double>(answers_[i + 1].first) : 0.0;
      const auto own = static_cast<double>(answers_[i].first);
      const double between = own > 0.5 && lower < 0.5 ? 0.5 : (own + lower) / 2;
      if (lower == own || !(between > 0) || !(between < 1)) continue;
      const double f1 = f1_of(counts);
      if (f1 < greatest || (f1 == greatest && std::abs(between - 0.5) >= std::abs(threshold - 0.5))) continue;
      greatest = f1;
      threshold = between;
    }
    return threshold;
  }

 private:
  std::vector<std::pair<float, bool>> answers_;
  int64_t positives_ = 0;
};

}  // namespace

std::vector<double> best_thresholds(std::span<const Outcome> outcomes, size_t classes) {
  std::vector<Answers> of_class(classes);
  Answers all;
  for (const Outcome& outcome : outcomes) {
    if (outcome.probabilities.size() != classes) return std::vector<double>(classes, 0.5);
    for (size_t c = 0; c < classes; ++c) {
      const bool is = std::ranges::count(outcome.labels, static_cast<int64_t>(c)) > 0;
      of_class[c].add(outcome.probabilities[c], is);
      all.add(outcome.probabilities[c], is);
    }
  }
  const double shared = all.enough() ? all.best() : 0.5;
  std::vector<double> thresholds;
  for (Answers& one : of_class) thresholds.push_back(one.enough() ? one.best() : shared);
  return thresholds;
}

void LabelTable::add(std::span<const float> logits, std::span<const int32_t> labels) {
  scores_.resize(logits.size());
  truth_.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    scores_[i].push_back(logits[i]);
    truth_[i].push_back(false);
  }
  for (int32_t label : labels) truth_[static_cast<size_t>(label)].back() = true;
  ++pictures_;
}

void LabelTable::fill(Evaluation& evaluation) const {
  evaluation.score.pictures = pictures_;
  LabelScores& scores = evaluation.score.labels.emplace();
  evaluation.thresholds = thresholds_.empty() ? std::vector<double>(evaluation.classes.size(), 0.5) : thresholds_;
  if (pictures_ == 0) return;
  std::vector<bool> told(static_cast<size_t>(pictures_), true);
  Counts all;
  int64_t occurring = 0;
  for (size_t c = 0; c < scores_.size(); ++c) {
    Counts own;
    for (size_t i = 0; i < told.size(); ++i) {
      const bool yes = engine::is_told(scores_[c][i], evaluation.thresholds[c]), is = truth_[c][i];
      own.right += yes && is;
      own.wrong += yes && !is;
      own.missed += !yes && is;
      if (yes != is) told[i] = false;
    }
    ClassScore& score = evaluation.classes[c];
    score.pictures = own.right + own.missed;
    score.correct = own.right;
    score.f1 = f1_of(own);
    score.average_precision = average_precision(scores_[c], truth_[c]);
    if (score.average_precision >= 0) {
      scores.mean_average_precision += score.average_precision;
      ++occurring;
    }
    scores.f1_macro += score.f1;
    all.right += own.right;
    all.wrong += own.wrong;
    all.missed += own.missed;
  }
  if (occurring > 0) scores.mean_average_precision /= static_cast<double>(occurring);
  scores.f1_macro /= static_cast<double>(scores_.size());
  scores.f1_micro = f1_of(all);
  evaluation.score.accuracy = static_cast<double>(std::ranges::count(told, true)) / static_cast<double>(pictures_);
}

}  // namespace fovea::training
