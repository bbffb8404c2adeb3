#include "train/evaluation_json.h"

namespace fovea::training {

using nlohmann::json;

json evaluation_json(const Evaluation& evaluation) {
  json classes = json::array();
  for (const ClassScore& score : evaluation.classes)
    classes.push_back({{"name", score.name}, {"pictures", score.pictures}, {"correct", score.correct}});
  return {{"accuracy", evaluation.score.accuracy},
          {"pictures", evaluation.score.pictures},
          {"top5", evaluation.top5},
          {"loss", evaluation.loss},
          {"classes", classes},
          {"confusion", evaluation.confusion}};
}

Evaluation evaluation_of(const json& text) {
  Evaluation evaluation;
  evaluation.score = {text.at("accuracy"), text.at("pictures")};
  evaluation.top5 = text.at("top5");
  evaluation.loss = text.at("loss");
  for (const json& score : text.at("classes")) evaluation.classes.push_back({score.at("name"), score.at("pictures"), score.at("correct")});
  evaluation.confusion = text.at("confusion").get<std::vector<std::vector<int64_t>>>();
  return evaluation;
}

}  // namespace fovea::training
