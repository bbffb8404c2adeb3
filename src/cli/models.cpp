// fovea models: what there is.
#include <fovea/inspect.h>
#include <fovea/weights.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kFooter =
    R"(Names, parameters with 1000 classes, and the tags of published weights, the default ones first. Any of them takes --weights none or a
file. Examples:
  fovea models
  fovea summary resnet50 --size 224)";

int list(bool json) {
  std::map<std::string, std::vector<std::string>> tags;
  for (const WeightsInfo& weights : published_weights()) {
    auto& own = tags[weights.model];
    own.insert(weights.is_default ? own.begin() : own.end(), weights.tag);
  }
  const std::vector<ModelInfo> models = list_models();
  if (json) {
    nlohmann::json result = nlohmann::json::array();
    for (const ModelInfo& model : models) {
      result.push_back({{"name", model.name},
                        {"family", model.family},
                        {"layout", model.layout},
                        {"input_size", model.input_size},
                        {"feature_width", model.feature_width},
                        {"parameters", model.parameters},
                        {"weights", tags[model.name]}});
    }
    print_json(result);
    return 0;
  }
  Table table("<<>>><<");
  table.add({"name", "family", "parameters", "size", "features", "names of", "weights"});
  for (const ModelInfo& model : models) {
    table.add({model.name, model.family, as_millions(model.parameters), std::to_string(model.input_size),
               std::to_string(model.feature_width), model.layout, fmt::format("{}", fmt::join(tags[model.name], ", "))});
  }
  print("{}", table.text());
  return 0;
}

}  // namespace

void add_models(CLI::App& app, Run& run) {
  CLI::App* command = app.add_subcommand("models", "The networks there are");
  const auto json = std::make_shared<bool>(false);
  command->add_flag(
      "--json", *json,
      R"(For programs: [{"name", "family", "layout", "input_size", "feature_width", "parameters", "weights"}] on standard output)");
  command->footer(kFooter);
  command->callback([json, &run] { run = [json] { return list(*json); }; });
}

}  // namespace fovea::cli
