#include "train/evaluation_json.h"

#include <fovea/result_fields.h>

#include <cmath>

#include "train/statistics.h"

namespace fovea::training {
namespace {

using nlohmann::json;

constexpr size_t kMostMistakes = 24;  // that are listed, and shown on a page

json interval_json(int64_t correct, int64_t pictures) {
  const Interval interval = wilson_interval(correct, pictures);
  return {interval.low, interval.high};
}

json class_json(const ClassScore& score, bool independent) {
  json text{{"name", score.name},
            {"pictures", score.pictures},
            {"correct", score.correct},
            {"accuracy", json()},
            {"interval", interval_json(score.correct, score.pictures)}};
  if (score.pictures > 0) text["accuracy"] = static_cast<double>(score.correct) / static_cast<double>(score.pictures);
  if (!independent) return text;
  text["average_precision"] = score.average_precision < 0 ? json() : json(score.average_precision);
  text["f1"] = score.f1;
  return text;
}

json calibration_json(const std::vector<Outcome>& outcomes) {
  const Calibration calibration = calibration_of(outcomes);
  json bins = json::array();
  for (const Calibration::Bin& bin : calibration.bins)
    bins.push_back(
        {{"low", bin.low}, {"high", bin.high}, {"pictures", bin.pictures}, {"confidence", bin.confidence}, {"accuracy", bin.accuracy}});
  return {{"expected_error", calibration.expected_error}, {"bins", bins}};
}

json outcome_json(const Outcome& outcome) {
  if (outcome.label < 0)
    return {
        {"file", outcome.file}, {"labels", outcome.labels}, {"confidence", outcome.confidence}, {"probabilities", outcome.probabilities}};
  return {{"file", outcome.file},
          {"label", outcome.label},
          {"predicted", outcome.predicted},
          {"confidence", outcome.confidence},
          {"label_probability", outcome.label_probability}};
}

Outcome outcome_of(const json& text) {
  Outcome outcome;
  outcome.file = text.at("file");
  outcome.confidence = text.at("confidence");
  if (text.contains("labels")) {
    outcome.label = outcome.predicted = -1;
    outcome.labels = text.at("labels").get<std::vector<int64_t>>();
    outcome.probabilities = text.at("probabilities").get<std::vector<float>>();
    return outcome;
  }
  outcome.label = text.at("label");
  outcome.predicted = text.at("predicted");
  outcome.label_probability = text.at("label_probability");
  return outcome;
}

// An outcome, and of several labels the answer that it is listed for.
json mistake_json(const Outcome& outcome, std::span<const double> thresholds) {
  json text = outcome_json(outcome);
  if (outcome.label >= 0) return text;
  const WrongAnswer wrong = *wrong_answer(outcome, thresholds);
  text["wrong_class"] = wrong.class_index;
  text["wrong_confidence"] = wrong.confidence;
  return text;
}

}  // namespace

json score_json(const Score& score) {
  json text;
  fields(score, [&](const auto& name, const auto& value) { text[name] = value; });
  return text;
}

Score score_of(const json& text) {
  Score score{text.at("accuracy"), text.at("pictures")};
  if (text.contains("f1_micro")) score.labels = {text.at("mean_average_precision"), text.at("f1_macro"), text.at("f1_micro")};
  return score;
}

namespace {

json seen_json(const SeenInTraining& seen, bool independent) {
  json others = score_json(seen.others);
  const auto correct = std::llround(seen.others.accuracy * static_cast<double>(seen.others.pictures));
  others["interval"] = interval_json(correct, seen.others.pictures);
  others["loss"] = seen.others_loss;
  if (!independent) others["top5"] = seen.others_top5;
  json text{{"recorded", seen.recorded}, {"all", seen.all}, {"pictures", json::array()}, {"others", others}};
  for (const SeenPicture& picture : seen.pictures)
    text["pictures"].push_back({{"file", picture.file}, {"same_pixels", picture.same_pixels}});
  return text;
}

SeenInTraining seen_of(const json& text) {
  SeenInTraining seen{text.at("recorded"), text.at("all"), {}, score_of(text.at("others"))};
  seen.others_loss = text.at("others").at("loss");
  seen.others_top5 = text.at("others").value("top5", 0.0);
  for (const json& one : text.at("pictures")) seen.pictures.push_back({one.at("file"), one.at("same_pixels")});
  return seen;
}

}  // namespace

json evaluation_json(const Evaluation& evaluation) {
  const bool independent = evaluation.score.labels.has_value();
  json text = score_json(evaluation.score);
  const auto correct = std::llround(evaluation.score.accuracy * static_cast<double>(evaluation.score.pictures));
  text["interval"] = interval_json(correct, evaluation.score.pictures);
  text["loss"] = evaluation.loss;
  text["classes"] = text["outcomes"] = text["worst_mistakes"] = json::array();
  for (const ClassScore& score : evaluation.classes) text["classes"].push_back(class_json(score, independent));
  for (const Outcome& outcome : evaluation.outcomes) text["outcomes"].push_back(outcome_json(outcome));
  text["mistakes"] = worst_mistakes(evaluation.outcomes, evaluation.outcomes.size(), evaluation.thresholds).size();
  for (size_t i : worst_mistakes(evaluation.outcomes, kMostMistakes, evaluation.thresholds))
    text["worst_mistakes"].push_back(mistake_json(evaluation.outcomes[i], evaluation.thresholds));
  if (evaluation.seen) text["seen_in_training"] = seen_json(*evaluation.seen, independent);
  if (independent) {
    text["thresholds"] = evaluation.thresholds;
    return text;
  }
  text["top5"] = evaluation.top5;
  text["confusion"] = evaluation.confusion;
  text["calibration"] = calibration_json(evaluation.outcomes);
  return text;
}

Evaluation evaluation_of(const json& text) {
  Evaluation evaluation;
  evaluation.score = score_of(text);
  evaluation.loss = text.at("loss");
  for (const json& score : text.at("classes")) {
    ClassScore& own = evaluation.classes.emplace_back(ClassScore{score.at("name"), score.at("pictures"), score.at("correct")});
    if (!evaluation.score.labels) continue;
    if (!score.at("average_precision").is_null()) own.average_precision = score.at("average_precision");
    own.f1 = score.at("f1");
  }
  for (const json& one : text.at("outcomes")) evaluation.outcomes.push_back(outcome_of(one));
  if (text.contains("seen_in_training")) evaluation.seen = seen_of(text.at("seen_in_training"));
  if (evaluation.score.labels) {
    if (text.contains("thresholds")) evaluation.thresholds = text.at("thresholds").get<std::vector<double>>();
    return evaluation;
  }
  evaluation.top5 = text.at("top5");
  evaluation.confusion = text.at("confusion").get<std::vector<std::vector<int64_t>>>();
  return evaluation;
}

}  // namespace fovea::training
