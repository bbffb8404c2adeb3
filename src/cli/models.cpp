// fovea models: what there is.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fovea/error.h>
#include <fovea/inspect.h>
#include <fovea/weights.h>

#include <algorithm>
#include <map>
#include <set>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kModelsFooter =
    R"(By family: names, parameters as published, and the tags of published weights, the default one and how many more there are. Any of them
takes --weights none or a file, and a name with a tag (resnet50.a1_in1k) takes those. Examples:
  fovea models --family resnet
  fovea models --filter '*dinov2*' --pretrained
  fovea models --markdown      the table of the README
  fovea summary resnet50 --size 224)";

struct ModelsArguments {
  std::string family, filter;
  bool pretrained = false, markdown = false, json = false;
};

using Tags = std::map<std::string, std::vector<std::string>>;  // of published weights, by the model's name

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

// Of many names the first, the last and a few that lie evenly between.
std::string some_of(const std::vector<ModelInfo>& models) {
  constexpr size_t kMost = 5;
  const size_t shown = std::min(kMost, models.size());
  std::string text;
  for (size_t i = 0; i < shown; ++i) {
    const size_t at = shown == 1 ? 0 : i * (models.size() - 1) / (shown - 1);
    text += fmt::format("{}`{}`", i == 0 ? "" : " ", models[at].name);
  }
  return text;
}

void print_markdown(const std::vector<ModelInfo>& models) {
  print("| family | networks | parameters | some of them |\n| --- | ---: | --- | --- |\n");
  for (size_t at = 0; at < models.size();) {
    std::vector<ModelInfo> family;
    for (const std::string name = models[at].family; at < models.size() && models[at].family == name; ++at) family.push_back(models[at]);
    const auto [least, most] = std::ranges::minmax(family, {}, &ModelInfo::parameters);
    print("| {} | {} | {} to {} | {} |\n", least.family, family.size(), as_millions(least.parameters), as_millions(most.parameters),
          some_of(family));
  }
}

void print_table(const std::vector<ModelInfo>& models, Tags& tags) {
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

void select(std::vector<ModelInfo>& models, const ModelsArguments& options, const Tags& tags) {
  std::set<std::string> families;
  for (const ModelInfo& model : models) families.insert(model.family);
  if (!options.family.empty() && !families.contains(options.family))
    throw Error(ErrorKind::usage, fmt::format("there is no family {}; there are {}", options.family, fmt::join(families, ", ")));
  std::erase_if(models, [&](const ModelInfo& model) {
    return (!options.family.empty() && model.family != options.family) || (options.pretrained && !tags.contains(model.name)) ||
           (!options.filter.empty() && !matches(options.filter, model.name));
  });
  if (models.empty() && !options.filter.empty())
    throw Error(ErrorKind::usage, fmt::format("no name matches {} of those asked for", options.filter));
}

int list(const ModelsArguments& options) {
  Tags tags;
  for (const WeightsInfo& weights : published_weights()) {
    auto& own = tags[weights.model];
    own.insert(weights.is_default ? own.begin() : own.end(), weights.tag);
  }
  std::vector<ModelInfo> models = list_models();
  std::ranges::sort(models, grouped_before);
  select(models, options, tags);
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
  command.option("--family", options->family, "Of this family alone").type("NAME");
  command.option("--filter", options->filter, "Whose names match the pattern: '*dinov2*'").type("PATTERN");
  command.flag("--pretrained", options->pretrained, "For which weights are published");
  command.flag("--markdown", options->markdown, "A row a family, as a table in Markdown");
  command.flag(
      "--json", options->json,
      R"(For programs: [{"name", "family", "layout", "input_size", "feature_width", "parameters", "weights"}] on standard output)");
  command.footer(kModelsFooter);
  command.runs([options] { return list(*options); });
}

}  // namespace fovea::cli
