#include "train/probe_json.h"

namespace fovea::training {
namespace {

using nlohmann::json;

json trial_json(const ProbeTrial& trial) {
  return {{"fit", to_string(trial.fits)},
          {"mirrored", trial.mirrored},
          {"penalty", trial.penalty},
          {"accuracy", trial.accuracy},
          {"loss", trial.loss}};
}

ProbeTrial trial_of(const json& text) {
  return {parse_fits(text.at("fit")), text.at("mirrored"), text.at("penalty"), text.at("accuracy"), text.at("loss")};
}

}  // namespace

json probe_json(const ProbeChoice& choice) {
  json text{{"C", choice.c},           {"folds", choice.folds},  {"best", trial_json(choice.best)},
            {"trials", json::array()}, {"curve", json::array()}, {"fits", json::array()}};
  for (const ProbeTrial& trial : choice.trials) text["trials"].push_back(trial_json(trial));
  for (const ProbeTrial& trial : choice.curve) text["curve"].push_back(trial_json(trial));
  for (const Fits& fits : choice.fits) text["fits"].push_back(to_string(fits));
  return text;
}

ProbeChoice probe_of(const json& text) {
  ProbeChoice choice;
  choice.c = text.at("C");
  choice.folds = text.at("folds");
  choice.best = trial_of(text.at("best"));
  for (const json& trial : text.at("trials")) choice.trials.push_back(trial_of(trial));
  for (const json& trial : text.at("curve")) choice.curve.push_back(trial_of(trial));
  for (const json& fits : text.at("fits")) choice.fits.push_back(parse_fits(fits));
  return choice;
}

}  // namespace fovea::training
