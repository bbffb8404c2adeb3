// fovea models: what there is.
#include <fmt/format.h>
#include <fovea/inspect.h>
#include <fovea/weights.h>

#include <algorithm>
#include <map>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kModelsFooter =
    R"(By family: names, parameters as published, and the tags of published weights, the default one and how many more there are. Any of them
takes --weights none or a file. Examples:
  fovea models
  fovea models --markdown      the table of the README
  fovea summary resnet50 --size 224)";

struct ModelsArguments {
  bool markdown = false, json = false;
};

// Numbers in names count as numbers: resnet18 stands before resnet101.
bool before(const std::string& a, const std::string& b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  for (size_t i = 0, k = 0; i < a.size() && k < b.size();) {
    if (digit(a[i]) && digit(b[k])) {
      size_t i_end = i, k_end = k;
      while (i_end < a.size() && digit(a[i_end])) ++i_end;
      while (k_end < b.size() && digit(b[k_end])) ++k_end;
      const std::string x = a.substr(i, i_end - i), y = b.substr(k, k_end - k);
      if (x != y) return x.size() != y.size() ? x.size() < y.size() : x < y;
      i = i_end;
      k = k_end;
    } else if (a[i] != b[k]) {
      return a[i] < b[k];
    } else {
      ++i;
      ++k;
    }
  }
  return a.size() < b.size();
}

// The library that most encoders follow comes first.
bool grouped_before(const ModelInfo& a, const ModelInfo& b) {
  if (a.family != b.family) return a.family < b.family;
  if (a.layout != b.layout) return a.layout > b.layout;
  return before(a.name, b.name);
}

void print_markdown(const std::vector<ModelInfo>& models) {
  print("| family | variants | names of parameters | parameters |\n| --- | --- | --- | --- |\n");
  for (size_t at = 0; at < models.size();) {
    const ModelInfo& first = models[at];
    std::vector<std::string> names;
    int64_t least = first.parameters, most = first.parameters;
    for (; at < models.size() && models[at].family == first.family && models[at].layout == first.layout; ++at) {
      names.push_back("`" + models[at].name + "`");
      least = std::min(least, models[at].parameters);
      most = std::max(most, models[at].parameters);
    }
    const std::string variants = fmt::format("{}", fmt::join(names, " "));
    print("| {} | {} | {} | {} to {} |\n", first.family, variants, first.layout, as_millions(least), as_millions(most));
  }
}

void print_table(const std::vector<ModelInfo>& models, std::map<std::string, std::vector<std::string>>& tags) {
  Table table("<<>>><<");
  table.add({"family", "name", "parameters", "size", "features", "names of", "weights"});
  std::string family;
  for (const ModelInfo& model : models) {
    const auto& own = tags[model.name];
    std::string weights = own.empty() ? "" : own.front();
    if (own.size() > 1) weights += fmt::format(" (+{})", own.size() - 1);
    table.add({model.family == family ? "" : model.family, model.name, as_millions(model.parameters), std::to_string(model.input_size),
               std::to_string(model.feature_width), model.layout, weights});
    family = model.family;
  }
  print("{}", table.text());
}

int list(const ModelsArguments& options) {
  std::map<std::string, std::vector<std::string>> tags;
  for (const WeightsInfo& weights : published_weights()) {
    auto& own = tags[weights.model];
    own.insert(weights.is_default ? own.begin() : own.end(), weights.tag);
  }
  std::vector<ModelInfo> models = list_models();
  std::ranges::sort(models, grouped_before);
  if (options.markdown) {
    print_markdown(models);
    return 0;
  }
  if (!options.json) {
    print_table(models, tags);
    return 0;
  }
  Json result = Json::array();
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

}  // namespace

void add_models(Command& program) {
  Command command = program.command("models", "The networks there are");
  const auto options = std::make_shared<ModelsArguments>();
  command.flag("--markdown", options->markdown, "A row a family and library, as a table in Markdown");
  command.flag(
      "--json", options->json,
      R"(For programs: [{"name", "family", "layout", "input_size", "feature_width", "parameters", "weights"}] on standard output)");
  command.footer(kModelsFooter);
  command.runs([options] { return list(*options); });
}

}  // namespace fovea::cli
