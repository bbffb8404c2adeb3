// fovea explain: where a network looked.
#include <fovea/heat_map.h>
#include <fovea/pictures.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace fovea::cli {
namespace {

constexpr const char* kExplainFooter =
    R"(Writes the picture with the heat of a class over it: yellow where it speaks for the class most, violet where nothing does. Without --class
the most probable class is explained.

gradcam (Selvaraju et al. 2017) weights the channels of the network's last map by what the class's score makes of them; --tap takes an earlier
map, which is finer and means less. rollout (Abnar and Zuidema 2020) follows a transformer's attention back to the patches; it is the same for
every class. auto takes rollout for transformers unless there is a --tap, gradcam for everything else.

The picture is decoded as the model has it: where that is fast, a large JPEG may be written at a part of its size, and "hottest" is in its pixels.

Examples:
  fovea explain tf_efficientnet_lite0 coffee.jpg -o heat.png
  fovea explain run/model.safetensors photo.jpg --class beetle -o heat.png
  fovea explain resnet50 photo.jpg --tap layer3 -o heat.png
  fovea explain deit_small_patch16_224 photo.jpg --method gradcam -o heat.png)";

struct ExplainArguments {
  ModelOptions model;
  PreprocessingOptions preprocessing;
  std::string picture, out, class_name, tap, method = "auto";
  bool json = false;
};

std::string method_text(const HeatMap& map) {
  const std::string places = as_shape(map.map.shape());
  return map.method == HeatMethod::rollout ? fmt::format("attention rollout to {} patches", places)
                                           : fmt::format("Grad-CAM of {}, {} positions", map.tap, places);
}

Json map_json(const Tensor& map) {
  const auto values = map.values<float>();
  const size_t width = static_cast<size_t>(map.shape()[1]);
  Json rows = Json::array();
  for (size_t at = 0; at < values.size(); at += width) rows.push_back(std::vector<float>(values.begin() + at, values.begin() + at + width));
  return rows;
}

void print_text(const ExplainArguments& options, const HeatMap& map, float most) {
  result_is_in_files();
  const ClassProbability& one = map.explained;
  if (one.index >= 0) print("{}  {}\n", as_percent(one.probability), one.name);
  print("{}: {}\n", options.out, method_text(map));
  if (most == 0) print("No position of {} speaks for {}: the heat is 0 everywhere.\n", map.tap, one.name);
}

int explain(const ExplainArguments& options) {
  if (!options.out.ends_with(".png"))
    throw Error(ErrorKind::usage, options.out + ": the picture is written as PNG; end its name with .png");
  check_output(options.out);
  require_other_file(options.out, {options.picture});
  HeatMapOptions asked{parse_heat_method(options.method), options.tap, options.class_name};
  Model model = load(options.model);
  apply(model, options.preprocessing);
  const Image picture = read_image(options.picture, model.preprocessing());
  const HeatMap map = heat_map(model, picture, asked);
  write_png(options.out, overlay(picture, map.heat));
  const auto heat = map.heat.values<float>();
  const auto hottest = std::max_element(heat.begin(), heat.end());
  if (!options.json) {
    print_text(options, map, *hottest);
    return 0;
  }
  const ClassProbability& one = map.explained;
  Json result{{"file", options.picture},
              {"method", to_string(map.method)},
              {"tap", map.tap},
              {"map", map_json(map.map)},
              {"hottest", {{"x", (hottest - heat.begin()) % picture.width}, {"y", (hottest - heat.begin()) / picture.width}}},
              {"out", options.out}};
  if (one.index >= 0) result.set("class", {{"name", one.name}, {"index", one.index}, {"probability", one.probability}});
  print_json(result);
  return 0;
}

}  // namespace

void add_explain(Command& program) {
  Command command = program.command("explain", "Where a network looked: a picture's heat map for a class");
  const auto options = std::make_shared<ExplainArguments>();
  add_model(command, options->model);
  command.positional("IMAGE", options->picture, "A picture");
  command.option("-o,--out", options->out, "The picture to write").required().type("FILE.png");
  command.option("--class", options->class_name, "The class to explain (default: the most probable one)").type("NAME");
  command.option("--tap", options->tap, "Grad-CAM of another map: a tap or any layer that gives one").type("NAME");
  command.option("--method", options->method, "auto, gradcam or rollout").type("auto|gradcam|rollout").shows_default();
  add_preprocessing(command, options->preprocessing, "what the model has; crop for published weights");
  add_decode(command, options->preprocessing);
  add_json(command, options->json, R"({"file", "class": {"name", "index", "probability"}, "method", "tap", "map", "hottest", "out"})");
  command.footer(kExplainFooter);
  command.runs([options] { return explain(*options); });
}

}  // namespace fovea::cli
