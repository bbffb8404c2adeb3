#include "train/evaluation_json.h"

namespace fovea::training {

using nlohmann::json;

json score_json(const Score& score) {
  json text{{"accuracy", score.accuracy}, {"pictures", score.pictures}};
  if (!score.labels) return text;
  text["mean_average_precision"] = score.labels->mean_average_precision;
  text["f1_macro"] = score.labels->f1_macro;
  text["f1_micro"] = score.labels->f1_micro;
  return text;
}

Score score_of(const json& text) {
  Score score{text.at("accuracy"), text.at("pictures")};
  if (text.contains("f1_micro")) score.labels = {text.at("mean_average_precision"), text.at("f1_macro"), text.at("f1_micro")};
  return score;
}

json evaluation_json(const Evaluation& evaluation) {
  json classes = json::array();
  for (const ClassScore& score : evaluation.classes) {
    json own{{"name", score.name}, {"pictures", score.pictures}, {"correct", score.correct}};
    if (evaluation.score.labels) {
      own["average_precision"] = score.average_precision < 0 ? json() : json(score.average_precision);
      own["f1"] = score.f1;
    }
    classes.push_back(std::move(own));
  }
  json text = score_json(evaluation.score);
  text["loss"] = evaluation.loss;
  text["classes"] = std::move(classes);
  if (evaluation.score.labels) return text;
  text["top5"] = evaluation.top5;
  text["confusion"] = evaluation.confusion;
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
  if (evaluation.score.labels) return evaluation;
  evaluation.top5 = text.at("top5");
  evaluation.confusion = text.at("confusion").get<std::vector<std::vector<int64_t>>>();
  return evaluation;
}

}  // namespace fovea::training
