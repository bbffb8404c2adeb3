#include "train/metrics_file.h"

#include <fstream>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_value.h"
#include "base/parallel.h"
#include "train/cross_validation.h"
#include "train/evaluation_json.h"
#include "train/phase_fields.h"
#include "train/probe_json.h"
#include "train/run_folder.h"
#include "weights/digest.h"

namespace fovea::training {
namespace {

using nlohmann::json;

json to_json(const Phase& phase) {
  json text{{"augmented", phase.augmentation.has_value()}};
  fields(phase, [&](const char* key, const char*, const auto& value) { text[key] = value; });
  return text;
}

// How many pictures of each class are where.
json class_pictures(const image::Splits& splits, size_t classes) {
  const auto count = [&](const image::Dataset& part) {
    std::vector<int64_t> pictures(classes);
    for (const image::Sample& sample : part.samples)
      for (int32_t label : image::labels_of(sample)) ++pictures[static_cast<size_t>(label)];
    return pictures;
  };
  return {{"train", count(splits.train)}, {"validation", count(splits.validation)}, {"test", count(splits.test)}};
}

}  // namespace

void write_run_command(const std::filesystem::path& path, const std::vector<std::string>& words) {
  std::error_code none;
  write_text(path, json_text({{"command", words}, {"directory", std::filesystem::current_path(none).string()}}, 2) + "\n");
}

void write_metrics(const std::filesystem::path& path, const Metrics& metrics, const std::filesystem::path& model) {
  const TrainResult& result = metrics.result;
  json text{{"validation", metrics.validation ? evaluation_json(*metrics.validation) : score_json(result.validation)},
            {"test", metrics.test ? evaluation_json(*metrics.test) : score_json(result.test)},
            {"seconds", result.seconds},
            {"model", metrics.network.variant().name},
            {"weights", metrics.origin.weights},
            {"data", metrics.origin.data},
            {"command", metrics.options.run.command},
            {"recipe", result.recipe},
            {"reason", result.reason},
            {"seed", metrics.options.run.seed},
            {"threads", threads()},
            {"training_pictures", metrics.data.splits.train.samples.size()},
            {"epochs", result.epochs},
            {"best_epoch", result.best_epoch},
            {"classes", metrics.network.classes()},
            {"class_pictures", class_pictures(metrics.data.splits, metrics.network.classes().size())},
            {"preprocessing", to_string(metrics.network.preprocessing())},
            {"peak_bytes", {{"planned", result.planned_bytes}, {"measured", result.measured_bytes}}},
            {"phases", json::array()},
            {"history", history_json(metrics.state.history)},
            {"record", metrics.state.record},
            {"versions", json::array()},
            {"left_out", json::array()},
            {"test_files", json::array()}};
  if (metrics.data.looks) text["audit"] = auditing::audit_json(auditing::audit(metrics.data.splits, *metrics.data.looks));
  if (result.folds) text["folds"] = spread_json(*result.folds);
  if (result.seeds) text["seeds"] = spread_json(*result.seeds);
  if (result.out_of_fold) text["out_of_fold"] = evaluation_json(*result.out_of_fold);
  if (metrics.state.probe) text["probe"] = probe_json(*metrics.state.probe);
  if (!metrics.origin.freeze_savings.empty()) text["freeze_saves"] = metrics.origin.freeze_savings;
  for (const auto& [name, version] : metrics.origin.versions) text["versions"].push_back({name, version});
  for (const Phase& phase : metrics.plan.phases) text["phases"].push_back(to_json(phase));
  for (const BadPicture& bad : result.left_out) text["left_out"].push_back({{"file", bad.file}, {"reason", bad.reason}});
  for (const image::Sample& sample : metrics.data.splits.test.samples) text["test_files"].push_back(sample.path);
  if (!metrics.stopped.empty()) text["stopped"] = metrics.stopped;
  if (!model.empty()) text["model_sha256"] = weights::sha256_of_file(model);
  write_text(path, json_text(text, 2) + "\n");
}

TrainResult read_metrics(const std::filesystem::path& path) {
  return in_context(path.string(), [&] {
    TrainResult result;
    try {
      const json text = parse_json(read_text(path));
      result.validation = score_of(text.at("validation"));
      result.test = score_of(text.at("test"));
      result.seconds = text.at("seconds");
      result.recipe = text.at("recipe");
      result.reason = text.at("reason");
      result.epochs = text.at("epochs");
      result.best_epoch = text.at("best_epoch");
      result.planned_bytes = text.at("peak_bytes").at("planned");
      result.measured_bytes = text.at("peak_bytes").at("measured");
      for (const json& bad : text.at("left_out")) result.left_out.push_back({bad.at("file"), bad.at("reason")});
    } catch (const json::exception& error) {
      fail(ErrorKind::format, "cannot be read as the metrics of a run: {}", error.what());
    }
    return result;
  });
}

}  // namespace fovea::training

namespace fovea {

RunCommand run_command(const std::string& folder) {
  const std::filesystem::path run = folder, path = run / training::kRunFile;
  if (!std::filesystem::exists(path)) {
    if (std::filesystem::exists(run / training::kCheckpointFile)) return {};
    fail(ErrorKind::input, "{}: no run is there to go on with ({} is missing)", folder, training::kCheckpointFile);
  }
  return in_context(path.string(), [&]() -> RunCommand {
    try {
      const nlohmann::json text = parse_json(read_text(path));
      return {text.at("command").get<std::vector<std::string>>(), text.at("directory").get<std::string>()};
    } catch (const nlohmann::json::exception& error) {
      fail(ErrorKind::format, "cannot be read as the beginning of a run: {}", error.what());
    }
  });
}

}  // namespace fovea
