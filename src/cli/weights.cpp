// fovea weights: list, fetch and convert.
#include <fmt/format.h>
#include <fovea/weights.h>

#include <algorithm>
#include <cctype>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kWeightsFooter =
    R"(Fetched files lie in FOVEA_CACHE, else XDG_CACHE_HOME/fovea, else ~/.cache/fovea, each checked by its SHA-256. What was cut off is
continued the next time. With FOVEA_OFFLINE=1 nothing is fetched. HF_ENDPOINT names a mirror of the hub, HF_TOKEN a token for it; what its own
client has in HF_HUB_CACHE is used as it lies there. On a machine without a network, put the file where `fovea weights list
--json` says ("path"), or name it: --weights FILE.)";

Json to_json(const WeightsInfo& one) {
  return {{"model", one.model},
          {"tag", one.tag},
          {"default", one.is_default},
          {"file", one.file},
          {"source", one.source},
          {"licence", one.licence},
          {"non_commercial", one.non_commercial},
          {"classes", one.classes},
          {"classifies", one.classifies},
          {"accuracy1", one.accuracy1},
          {"accuracy5", one.accuracy5},
          {"sha256", one.digest},
          {"preprocessing", to_string(one.preprocessing)},
          {"path", one.path},
          {"cached", one.cached}};
}

constexpr const char* kRemarks =
    R"(top 1: accuracy on ImageNet's validation pictures, %, as published.
D: the model's default. H: here already. N: the licence forbids commercial use.
F: features only, for the file has no classifier, or none of use.
Files, sources, digests and preprocessing: --json.)";

std::string remarks(const WeightsInfo& weights) {
  std::string letters;
  if (weights.is_default) letters += 'D';
  if (weights.cached) letters += 'H';
  if (weights.non_commercial) letters += 'N';
  if (!weights.classifies) letters += 'F';
  return letters;
}

int list(const std::string& filter, bool json) {
  std::vector<WeightsInfo> all = published_weights();
  if (!filter.empty()) std::erase_if(all, [&](const WeightsInfo& one) { return !matches(filter, one.model + "." + one.tag); });
  if (all.empty()) throw Error(ErrorKind::usage, fmt::format("no weights match {}, which stands for MODEL.TAG", filter));
  if (json) {
    Json result = Json::array();
    for (const WeightsInfo& one : all) result.push_back(to_json(one));
    print_json(result);
    return 0;
  }
  Table table("<<>><");
  table.add({"model", "tag", "size", "top 1", ""});
  for (const WeightsInfo& one : all) {
    table.add({one.model, one.tag, std::to_string(one.preprocessing.height), one.accuracy1 ? fmt::format("{:.2f}", *one.accuracy1) : "",
               remarks(one)});
  }
  print("{}\n{}\nThe cache: {}\n", table.text(), kRemarks, cache_directory());
  return 0;
}

// A tag in a model's place, which models' names cannot be told from by their spelling but for the capitals.
void check_names(const std::vector<std::string>& models) {
  for (size_t i = 1; i < models.size(); ++i) {
    if (std::ranges::any_of(models[i], [](unsigned char c) { return std::islower(c) != 0; })) continue;
    std::vector<std::string> tags;
    for (const WeightsInfo& one : published_weights())
      if (one.model == models[i - 1]) tags.push_back(one.tag);
    if (tags.empty()) continue;
    const bool there = std::ranges::count(tags, models[i]) > 0;
    throw Error(ErrorKind::usage, there ? fmt::format("{} is a tag, and no model: --tag {}", models[i], models[i])
                                        : fmt::format("{} is no model, and {} has no weights of that tag; there are {} (--tag {})",
                                                      models[i], models[i - 1], fmt::join(tags, ", "), tags.front()));
  }
}

int fetch(const std::vector<std::string>& models, const std::string& tag, bool json) {
  check_names(models);
  Json result = Json::array();
  for (const std::string& model : models) {
    Progress progress;
    const std::string path = fetch_weights(model, tag, [&](int64_t done, int64_t total) {
      progress.show("fetching " + model, static_cast<double>(done), static_cast<double>(total),
                    total > 0 ? fmt::format("{} of {}", as_megabytes(done), as_megabytes(total)) : as_megabytes(done));
    });
    progress.clear();
    say_limits(model, tag);
    if (json)
      result.push_back({{"model", model}, {"path", path}});
    else
      print("{}: {}\n", model, path);
  }
  if (json) print_json(result);
  return 0;
}

struct Conversion {
  std::string from, to, model;
  bool json = false;
};

int convert(const Conversion& conversion) {
  const ConvertedWeights written = convert_weights(conversion.from, conversion.to, conversion.model);
  if (!conversion.json) result_is_in_files();
  if (conversion.json)
    print_json({{"file", conversion.to}, {"tensors", written.tensors}, {"bytes", written.bytes}});
  else
    print("{}: {}, {}\n", conversion.to, counted(written.tensors, "tensor", "tensors"), as_megabytes(written.bytes));
  return 0;
}

void add_list(Command& weights) {
  Command command = weights.command("list", "Published weights: tags, accuracy as published, and which are here already");
  struct Options {
    std::string filter;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  command.option("--filter", options->filter, "Whose MODEL.TAG matches the pattern: 'resnet50.*', '*dinov2*'").type("PATTERN");
  add_json(command, options->json,
           R"([{"model", "tag", "default", "file", "source", "licence", "non_commercial", "classes", "classifies", "accuracy1", "accuracy5",
  "sha256", "preprocessing", "path", "cached"}])");
  command.runs([options] { return list(options->filter, options->json); });
}

void add_fetch(Command& weights) {
  struct Options {
    std::vector<std::string> models;
    std::string tag;
    bool json = false;
  };
  Command command = weights.command("fetch", "Gets weights into the cache and prints where they are");
  const auto options = std::make_shared<Options>();
  command.positional("MODEL", options->models, "Names of `fovea models`, with a tag or without (resnet50.a1_in1k), or hf-hub:OWNER/NAME");
  command.option("--tag", options->tag, "Which weights (default: the model's default ones)").type("TAG");
  add_json(command, options->json, R"([{"model", "path"}])");
  command.footer("Example:\n  fovea weights fetch resnet50 --tag IMAGENET1K_V1");
  command.runs([options] { return fetch(options->models, options->tag, options->json); });
}

void add_convert(Command& weights) {
  Command command = weights.command("convert", "Writes a .pth or .safetensors file as either of them");
  const auto options = std::make_shared<Conversion>();
  command.positional("FROM", options->from, "The file to read");
  command.positional("TO", options->to, "The file to write, FILE.safetensors or FILE.pth");
  command
      .option("--model", options->model,
              "Write the names and shapes that this model has (timm/NAME: timm's), and see that all of them are there")
      .type("NAME");
  add_json(command, options->json, R"({"file", "tensors", "bytes"})");
  command.footer(
      "Nothing that a .pth file asks for is ever executed.\n\nExamples:\n  fovea weights convert checkpoint.pth checkpoint.safetensors\n"
      "  fovea weights convert convnext_tiny-983f1562.pth timm.pth --model timm/convnext_tiny");
  command.runs([options] { return convert(*options); });
}

}  // namespace

void add_weights(Command& program) {
  Command command = program.command("weights", "Published weights: list, fetch, convert");
  command.footer(kWeightsFooter);
  add_list(command);
  add_fetch(command);
  add_convert(command);
}

}  // namespace fovea::cli
