#include "train/metrics.h"

#include <algorithm>
#include <cmath>

#include "train/logistic_regression.h"

namespace fovea::training {

int64_t argmax(std::span<const float> logits) { return std::max_element(logits.begin(), logits.end()) - logits.begin(); }

double cross_entropy(std::span<const float> logits, int64_t label) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return std::log(sum) + largest - static_cast<double>(logits[static_cast<size_t>(label)]);
}

double target_loss(std::span<const float> logits, std::span<const float> targets, bool independent) {
  std::vector<double> values(logits.begin(), logits.end());
  const double sum =
      logistic_loss(independent ? Likelihood::binary : Likelihood::softmax, values, std::vector<double>(targets.begin(), targets.end()));
  return independent ? sum / static_cast<double>(targets.size()) : sum;
}

double measure_of(const Score& score) { return score.labels ? score.labels->mean_average_precision : score.accuracy; }

std::vector<float> softmax(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  std::vector<float> probabilities;
  for (float logit : logits) probabilities.push_back(static_cast<float>(std::exp(static_cast<double>(logit) - largest) / sum));
  return probabilities;
}

bool in_top(std::span<const float> logits, int64_t label, int64_t k) {
  const float own = logits[static_cast<size_t>(label)];
  return std::count_if(logits.begin(), logits.end(), [&](float logit) { return logit > own; }) < k;
}

Tally::Tally(std::vector<std::string> classes, bool independent, std::vector<double> thresholds, const EvaluateOptions& keep)
    : independent_(independent), outcomes_(keep.outcomes), probabilities_(keep.probabilities), table_(std::move(thresholds)) {
  if (!independent) counts_.confusion.assign(classes.size(), std::vector<int64_t>(classes.size()));
  for (std::string& name : classes) counts_.classes.push_back({std::move(name), 0, 0});
}

void Tally::add(std::span<const float> logits, int64_t label, const std::string& file) {
  const int64_t predicted = argmax(logits);
  if (!file.empty()) {
    std::vector<float> probabilities = softmax(logits);
    const double confidence = static_cast<double>(probabilities[static_cast<size_t>(predicted)]);
    const auto of_label = static_cast<double>(probabilities[static_cast<size_t>(label)]);
    if (!probabilities_) probabilities = {};
    counts_.outcomes.push_back({file, label, predicted, confidence, std::move(probabilities), {}, of_label});
  }
  ClassScore& own = counts_.classes[static_cast<size_t>(label)];
  ++own.pictures;
  own.correct += predicted == label;
  ++counts_.confusion[static_cast<size_t>(label)][static_cast<size_t>(predicted)];
  constexpr int64_t kTop = 5;
  top5_ += in_top(logits, label, kTop);
  loss_ += cross_entropy(logits, label);
}

void Tally::add(std::span<const float> logits, const image::Sample& sample, bool keep_outcome) {
  const std::string file = keep_outcome && outcomes_ ? sample.path : std::string();
  const double before = loss_;
  if (independent_)
    add_labels(logits, image::labels_of(sample), file);
  else
    add(logits, sample.label, file);
  if (!sample.targets.empty()) loss_ = before + target_loss(logits, sample.targets, independent_);
}

void Tally::add_labels(std::span<const float> logits, std::span<const int32_t> labels, const std::string& file) {
  table_.add(logits, labels);
  loss_ += binary_cross_entropy(logits, labels);
  if (file.empty()) return;
  Outcome outcome{file, -1, -1, 1, {}, {labels.begin(), labels.end()}};
  for (float logit : logits) {
    const auto yes = static_cast<float>(sigmoid(static_cast<double>(logit)));
    outcome.confidence = std::min(outcome.confidence, static_cast<double>(std::max(yes, 1 - yes)));
    if (probabilities_) outcome.probabilities.push_back(yes);
  }
  counts_.outcomes.push_back(std::move(outcome));
}

Evaluation Tally::finish() const {
  Evaluation result = counts_;
  if (independent_) {
    table_.fill(result);
    if (result.score.pictures > 0) result.loss = loss_ / static_cast<double>(result.score.pictures);
    return result;
  }
  int64_t correct = 0;
  for (const ClassScore& score : result.classes) {
    result.score.pictures += score.pictures;
    correct += score.correct;
  }
  if (result.score.pictures == 0) return result;
  const auto pictures = static_cast<double>(result.score.pictures);
  result.score.accuracy = static_cast<double>(correct) / pictures;
  result.top5 = static_cast<double>(top5_) / pictures;
  result.loss = loss_ / pictures;
  return result;
}

}  // namespace fovea::training
